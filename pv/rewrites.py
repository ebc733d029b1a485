"""Old spellings of contracts, and the edits that write each of them as it is written now.

They are found in the values of a document, whatever its shape; :mod:`pv.rewriting` makes them, and only
where what is said of the contract stays the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from pv.contract import SPELLINGS
from pv.document import Document
from pv.edit import Edit
from pv.errors import Location
from pv.key_edits import Move, Remove, Rename
from pv.rules.keys import misspelt
from pv.schema import KINDS

__all__ = ["Left", "Planned", "Rewrite", "items_of", "old_spellings"]

Path = tuple[str | int, ...]


@dataclasses.dataclass(frozen=True)
class Rewrite:
    """One edit: what it changes, in words, and which findings it resolves by design.

    `resolves` are codes; None where it was asked for because of findings, and may resolve any. What `moves`
    lines is made last, so that everything else is told at the place where it stood.
    """

    where: Location
    said: str
    edit: Edit
    resolves: frozenset[str] | None = frozenset()
    moves: bool = False


@dataclasses.dataclass(frozen=True)
class Left:
    """What is not rewritten, and why."""

    where: Location
    said: str
    why: str

    def __str__(self) -> str:
        return f"{self.where}: note: left as it is ({self.said}): {self.why}"


Planned = Rewrite | Left

_OF_BLOCKS = {
    "falsification": "falsification_tests",
    "falsifications": "falsification_tests",
    "falsifiers": "falsification_tests",
    "obligations": "proof_obligations",
}
"""Names under which nothing reads a block → the block's name, where its items have the block's shape."""

_ABSENT = frozenset({
    "SCHEMA-003", "SCHEMA-013", "SCHEMA-019", "PROVABILITY-001", "PV-DROPPED-001", "PV-COUNT-001",
    "PV-COVER-001", "PV-COVER-002", "PV-HARNESS-001", "PV-BLOCK-001", "PV-BASIS-001", "PV-HYPOTHESIS-001",
})  # fmt: skip
"""What is found where a block is missing because nothing reads its name."""

_SAYS = {
    "falsification_tests": frozenset({
        *(word for key in ("rule", "prediction", "if_fails") for word in SPELLINGS[key]), "test", "command",
        "check", "pytest", "basis",
    }),
    "proof_obligations": frozenset({*SPELLINGS["property"], *SPELLINGS["formal"]}),
}  # fmt: skip
"""Block → keys of which an item of it has at least one."""


def old_spellings(document: Document, _: str = "") -> Iterator[Planned]:
    """Yield a rewrite for every old spelling of `document`, a contract of whatever shape."""
    if isinstance(document.value, dict):
        yield from _aliases(document)
        yield from _blocks(document)
        yield from _kind(document)


def items_of(document: Document, block: str) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Yield the mappings in a list at the top level, and their paths."""
    listed = document.value.get(block)
    for index, item in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(item, dict):
            yield (block, index), item


def _aliases(document: Document) -> Iterator[Rewrite]:
    spelled = {
        "falsification_tests": ("rule", "prediction", "if_fails"),
        "proof_obligations": ("property", "formal"),
    }
    for block, keys in spelled.items():
        for path, item in items_of(document, block):
            for key in keys:
                alias = SPELLINGS[key][1]
                if alias in item:
                    yield _renamed(document, (*path, alias), key)
            if block == "falsification_tests" and isinstance(item.get("command"), str):
                yield _renamed(document, (*path, "command"), "test")


def _blocks(document: Document) -> Iterator[Planned]:
    value = document.value
    meant = dict(misspelt(value, "contract"))
    found = {key: name for key, name in _OF_BLOCKS.items() if isinstance(value.get(key), list | dict)}
    for key, name in (meant | found).items():
        renamed = _renamed(document, (key,), name, _ABSENT)
        if name in value:
            why = f"there is {name} already; join the two by hand"
        elif key in found and (lacking := _lacking(value[key], name)):
            why = f"its items have not the shape that {name} has: {lacking}"
        else:
            yield renamed
            continue
        yield Left(renamed.where, renamed.said, why)


def _lacking(block: Any, name: str) -> str:
    """Return what keeps `block` from being a block `name`; empty where each item is what one of it is."""
    if not isinstance(block, list) or not block:
        return "it is no list with items"
    for number, item in enumerate(block, 1):
        if not isinstance(item, dict):
            return f"item {number} is no mapping"
        if name == "falsification_tests" and not isinstance(item.get("id"), str):
            return f"item {number} has no id"
        if _SAYS[name].isdisjoint(item):
            return f"item {number} has none of {', '.join(sorted(_SAYS[name]))}"
    return ""


def _kind(document: Document) -> Iterator[Planned]:
    value, metadata = document.value, document.value.get("metadata")
    if "kind" not in value or not isinstance(metadata, dict):
        return
    where, kind = document.where_key("kind"), value["kind"]
    said = "kind is now metadata.kind"
    if "kind" in metadata and metadata["kind"] != kind:
        yield Left(where, said, f"metadata.kind is {metadata['kind']!r}; keep one of the two")
    elif kind not in KINDS:
        yield Left(where, said, f"{kind!r} is no kind; the kinds are {', '.join(KINDS)}")
    elif "kind" in metadata:
        said = "the top-level kind is gone: metadata.kind says the same"
        yield Rewrite(where, said, Remove(("kind",)), _OF_KIND, moves=True)
    else:
        yield Rewrite(where, said, Move(("kind",), "metadata"), _OF_KIND, moves=True)


_OF_KIND = frozenset({"SCHEMA-018"})


def _renamed(document: Document, path: Path, name: str, resolves: frozenset[str] = frozenset()) -> Rewrite:
    return Rewrite(document.where_key(*path), f"{path[-1]} is now {name}", Rename(path, name), resolves)
