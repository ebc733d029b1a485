"""The text: the Python standard library's own sources, split by file into training and held-out."""

from __future__ import annotations

import dataclasses
import hashlib
import platform
import re
import sysconfig
import unicodedata
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

HELD_OUT_BYTES = 80_000
"""Held-out files are taken until their sizes add up to at least this."""

LICENCE = "PSF-2.0"

_EXCLUDED_FOLDERS = frozenset({
    "site-packages", "dist-packages", "__pycache__", "test", "tests", "idle_test", "idlelib",
    "lib2to3", "turtledemo", "_bundled", "lib-dynload", "tkinter",
})  # fmt: skip
# Tables printed by programs: no language to learn from, and long runs of escapes.
_EXCLUDED_FILES = re.compile(r"^(_sysconfigdata.*|stringprep|entities|keycert.*|__phello__.*)\.py$")
_GENERATED = re.compile(r"decoding_table|generated from '|gencodec\.py", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Document:
    """One source file: its path under the standard library, with forward slashes, and its text."""

    path: str
    text: str

    @property
    def size(self) -> int:
        """Length of the text in bytes of UTF-8."""
        return len(self.text.encode())


@dataclasses.dataclass(frozen=True)
class Corpus:
    """Training and held-out documents, disjoint by file and each sorted by path."""

    training: tuple[Document, ...]
    held_out: tuple[Document, ...]
    python: str
    """Version of the interpreter whose library this is, such as ``3.11.7``."""

    @property
    def digest(self) -> str:
        """SHA-256 over the paths and texts of the training documents, in order."""
        state = hashlib.sha256()
        for document in self.training:
            state.update(document.path.encode() + b"\0" + document.text.encode() + b"\0")
        return state.hexdigest()

    @property
    def held_out_text(self) -> str:
        """The held-out documents one after another; this is what is shipped and evaluated."""
        return "".join(document.text for document in self.held_out)


def read_corpus(root: Path | None = None) -> Corpus:
    """Read and split the sources under `root`, by default the running interpreter's library.

    Raises
    ------
    FileNotFoundError
        There is no usable ``.py`` file under `root`.
    """
    library = root if root is not None else Path(sysconfig.get_paths()["stdlib"])
    documents = []
    for path in sorted(library.rglob("*.py"), key=lambda found: found.relative_to(library).as_posix()):
        relative = path.relative_to(library).as_posix()
        text = _usable_text(path) if is_wanted(relative) else None
        if text is not None:
            documents.append(Document(relative, text))
    if not documents:
        raise FileNotFoundError(f"no usable Python source under {library}")
    held_out = choose_held_out(documents)
    chosen = {document.path for document in held_out}
    training = tuple(document for document in documents if document.path not in chosen)
    return Corpus(training, held_out, platform.python_version())


def is_wanted(relative: str) -> bool:
    """Whether a path under the library is prose of people: no tests, no bundled or generated code."""
    pure = PurePosixPath(relative)
    if _EXCLUDED_FILES.match(pure.name):
        return False
    return not any(part in _EXCLUDED_FOLDERS or part.startswith("config-") for part in pure.parts[:-1])


def choose_held_out(documents: Sequence[Document]) -> tuple[Document, ...]:
    """Take files in the order of SHA-256 of their paths until `HELD_OUT_BYTES` are reached.

    Only middling files (4 to 24 kB) in Unicode normal form C are taken: no one file dominates, and
    the tokenizer's normaliser leaves them as they are. The codecs are left out, since they resemble
    one another too much for any of them to be unseen.
    """
    ranked = sorted(documents, key=lambda document: hashlib.sha256(document.path.encode()).digest())
    chosen: list[Document] = []
    for document in ranked:
        if sum(taken.size for taken in chosen) >= HELD_OUT_BYTES:
            break
        middling = 4_000 <= document.size <= 24_000
        normal = unicodedata.is_normalized("NFC", document.text)
        if middling and normal and not document.path.startswith("encodings/"):
            chosen.append(document)
    return tuple(sorted(chosen, key=lambda document: document.path))


def _usable_text(path: Path) -> str | None:
    """Return the text, or None where it is empty, not UTF-8, or generated."""
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return None
    if not text.strip() or _GENERATED.search(text[:2_000]):
        return None
    return text
