"""References to files of a repository: which words of a text are one, and whether what they name is there.

Only what cannot be meant otherwise counts: a path with a folder and a known ending, or ``path::symbol``.
A URL, a DOI, the name of another repository, and prose are left alone.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from pv.contract import Contract
from pv.errors import Location

if TYPE_CHECKING:
    import ast

__all__ = ["Reference", "complaint", "find_references", "texts_and_steps", "texts_of"]

_REFERENCE = re.compile(
    r"""(?P<path>(?:[\w.+-]+/)*[\w.+-]+\.(?P<suffix>py|rs|lean|sh|yaml|yml|toml|json|jsonl|md|txt|ipynb))
    (?P<symbols>(?:::[A-Za-z_]\w*)*)
    (?:\[[^\]]*\])?      # the case of a parametrised test
    (?:[:\#][\w.-]+)*    # a line, or a place within
    """,
    re.VERBOSE | re.ASCII,
)
_KEYS = ("test", "command", "test_harness", "harness", "evidence_discharged_by")
_LONGEST_NAME, _LONGEST_PATH = 255, 4096 - 1024
"""What Linux allows (``NAME_MAX``, ``PATH_MAX``), less what may stand before it: looking for more fails."""
_BEFORE = "`'\"(<["
_BEHIND = "`'\")>,;.:!?"
_RUST_ITEM = r"\b(?:fn|struct|enum|trait|mod|const|static|type|union|macro_rules!)\s+{}\b"
_RUST_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Reference:
    """A path relative to the repository, and the names within the file, outermost first."""

    path: str
    symbols: tuple[str, ...]

    def __str__(self) -> str:
        return "::".join((self.path, *self.symbols))


def find_references(text: str) -> Iterator[Reference]:
    """Yield the references among the words of `text`."""
    if "." not in text or ("/" not in text and "::" not in text):
        return
    for word in text.split():
        # A quick look first: nearly every word of every contract passes here.
        if "." not in word or ("/" not in word and "::" not in word) or "://" in word:
            continue
        bare = word.lstrip(_BEFORE).rstrip(_BEHIND)
        found = _REFERENCE.fullmatch(bare.removeprefix("./"))
        if found is None:
            continue
        path, symbols = found["path"], tuple(filter(None, found["symbols"].split("::")))
        first = path.split("/")[0]
        is_host = "/" in path and "." in first and first.strip(".") != "" and not first.startswith(".")
        if ("/" in path or symbols) and not is_host:
            yield Reference(path, symbols)


def texts_of(contract: Contract) -> Iterator[tuple[str, Location, bool]]:
    """Yield each text that may name a file, where it stands, and whether it cites a source."""
    for text, steps, cited in texts_and_steps(contract):
        yield text, contract.document.where(*steps), cited


def texts_and_steps(contract: Contract) -> Iterator[tuple[str, tuple[str | int, ...], bool]]:
    """Yield the same with the steps to the text in place of its line, which is dear to find."""
    for index, text in enumerate(contract.references):
        yield text, ("metadata", "references", index), True
    for falsifier in contract.falsifiers:
        for key in _KEYS:
            value = falsifier.raw.get(key)
            if key == "command" and not isinstance(value, str):
                continue  # our argument list: its runs tell what is missing
            for path, text in _within(value):
                yield text, (*falsifier.path, key, *path), False
    for harness in contract.kani:
        if harness.harness:
            yield harness.harness, (*harness.path, "harness"), False


def _within(value: object) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(value, str):
        yield (), value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from (((index, *path), text) for path, text in _within(item))
    elif isinstance(value, dict):
        for key in ("path", "test", "harness", "symbol"):
            if isinstance(value.get(key), str):
                yield (key,), value[key]


def complaint(reference: Reference, root: Path, beside: Path) -> str:
    """Say what of `reference` is not there; empty if all of it is.

    Parameters
    ----------
    reference
        What to look for.
    root, beside
        The folder of the repository, and that of the contract; the path may be relative to either, or to
        a package at most two folders below the root.
    """
    parts = PurePosixPath(reference.path).parts
    if ".." in parts:
        return ""  # it leads elsewhere, which is not for us to judge
    if len(reference.path) > _LONGEST_PATH or max(map(len, parts)) > _LONGEST_NAME:
        return f"there is no file {reference.path[:60]}…: no file can have so long a name"
    files = [folder / reference.path for folder in (root, beside) if (folder / reference.path).is_file()]
    if not files:
        files = [path for depth in ("*", "*/*") for path in root.glob(f"{depth}/{reference.path}")]
    if not files:
        return f"there is no file {reference.path}"
    if not reference.symbols or any(_has(path, reference.symbols) for path in files):
        return ""
    return f"{reference.path} defines no {'::'.join(reference.symbols)}"


def _has(path: Path, symbols: tuple[str, ...]) -> bool:
    if path.suffix == ".py":
        return _python_has(path, symbols)
    if path.suffix == ".rs":
        code = _RUST_COMMENT.sub(" ", path.read_text(encoding="utf-8", errors="replace"))
        return re.search(_RUST_ITEM.format(re.escape(symbols[-1])), code) is not None
    return True  # in a file of another language, nobody here can look


def _python_has(path: Path, symbols: tuple[str, ...]) -> bool:
    body = _body(path)
    for index, symbol in enumerate(symbols):
        found = _definition(body, symbol)
        if found is None:
            return False
        body = getattr(found, "body", [])
        if index + 1 < len(symbols) and _definition(body, symbols[index + 1]) is None:
            # A method may come from a base class, which may stand in any file.
            return bool(getattr(found, "bases", []))
    return True


@functools.lru_cache(maxsize=256)
def _body(path: Path) -> list[ast.stmt]:
    """Return the statements of a file; none where it is no Python."""
    # Imported late: few contracts name files.
    from pv.python_source import UNREADABLE, parse_python

    try:
        return parse_python(path.read_bytes()).body
    except UNREADABLE:
        return []


def _definition(body: list[ast.stmt], name: str) -> ast.stmt | None:
    """Return the statement that defines `name`; an import defines nothing."""
    import ast

    from pv.python_source import bound_names

    for bound, statement in bound_names(body):
        if bound == name and not isinstance(statement, ast.Import | ast.ImportFrom):
            return statement
    return None
