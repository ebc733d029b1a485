"""Documents of text, and which of them are held out.

A document is a file. It is held out by the digest of its text, so that the same text is never on both sides,
however often it occurs, and adding a file moves few others.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pv_runtime.errors import printable
from pv_runtime.pretrain.errors import TrainingError
from pv_runtime.tokenizer import Tokenizer

__all__ = ["Document", "documents_in", "encoded", "split"]


@dataclasses.dataclass(frozen=True)
class Document:
    """One text and where it is from."""

    name: str
    text: str

    @property
    def digest(self) -> bytes:
        """SHA-256 of its text."""
        return hashlib.sha256(self.text.encode()).digest()

    @property
    def size(self) -> int:
        """Bytes of UTF-8."""
        return len(self.text.encode())


def documents_in(path: Path) -> list[Document]:
    """Read a file, or every file below a folder, in the order of their names.

    Files and folders whose names begin with a dot are no part of it, and neither are empty files.

    Raises
    ------
    TrainingError
        A file is not UTF-8, or there is none.
    """
    files = [path] if path.is_file() else sorted(_visible(path))
    documents = []
    for file in files:
        try:
            text = file.read_bytes().decode("utf-8")
        except UnicodeDecodeError as error:
            raise TrainingError(
                "text-unreadable",
                f"{printable(str(file))}: is no text in UTF-8: byte {error.start} is "
                f"0x{error.object[error.start]:02x}",
                "keep other files in another folder; token shards are named *.bin, with no text beside them",
            ) from error
        if text:
            documents.append(Document(str(file.relative_to(path)) if file != path else file.name, text))
    if not documents:
        raise TrainingError(
            "too-little-data",
            f"{printable(str(path))}: holds no text",
            "name a folder of text files, or a file",
        )
    return documents


def _visible(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path


def split(documents: Sequence[Document], share: float) -> tuple[list[Document], list[Document]]:
    """Divide documents into those to learn from and those that are held out.

    Documents are held out in the order of their digests until they have `share` of all bytes: at least one
    text, and never all.

    Parameters
    ----------
    documents
        At least two different texts.
    share
        Above 0 and below 1.

    Raises
    ------
    TrainingError
        All documents are the same text: nothing can be held out.
    """
    by_digest: dict[bytes, list[Document]] = {}
    for document in documents:
        by_digest.setdefault(document.digest, []).append(document)
    if len(by_digest) < 2:
        raise TrainingError(
            "held-out-leaks",
            f"{documents[0].name}: is the only text, and of one document no part is held out: its "
            "parts resemble "
            "each other",
            "name a text of its own with --val-shard, or divide it into several files",
        )
    wanted = share * sum(document.size for document in documents)
    held_out: set[bytes] = set()
    taken = 0
    for digest in sorted(by_digest)[:-1]:
        if taken >= wanted and held_out:
            break
        held_out.add(digest)
        taken += sum(document.size for document in by_digest[digest])
    return (
        [document for document in documents if document.digest not in held_out],
        [document for document in documents if document.digest in held_out],
    )


def encoded(tokenizer: Tokenizer, documents: Iterable[Document]) -> Iterator[NDArray[np.uint32]]:
    """Encode each document, with the token that ends a text behind it where the tokenizer names one."""
    named = tokenizer.special.get("eos_token")
    end = tokenizer.id_of(named) if named is not None else None
    for document in documents:
        ids = tokenizer.encode(document.text)
        yield np.asarray(ids if end is None else [*ids, end], dtype=np.uint32)
