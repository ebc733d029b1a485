"""What ``pv validate --fix`` mends: old spellings, and findings whose remedy leaves nothing to decide.

A number where a text is meant is put in quotes; a word or a key that is a slip of one that is known is
corrected; what is read under ``metadata`` alone is moved there; a sentence that stands under both spellings
of a key is kept once; and the count of obligations is counted. Nothing is mended that claims something: no
status, no rule, no count of what was shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pydantic_core import ValidationError

from pv.contract import LEVELS, SPELLINGS
from pv.document import Document
from pv.edit import BYTE_ORDER_MARK, Put
from pv.key_edits import Move, Number, Remove, Rename
from pv.near_miss import nearest
from pv.rewrites import Left, Planned, Rewrite, items_of, old_spellings
from pv.rules.keys import Block, misspelt
from pv.rules.near_miss_key import OF_METADATA
from pv.schema import validator
from pv.shape_problems import place_of, siblings
from pv.spans import Node, read_spans
from pv.splice import node_at

__all__ = ["mends"]

Path = tuple[str | int, ...]


def mends(document: Document, text: str) -> Iterator[Planned]:
    """Yield what can be mended in `document`, which is written as `text`.

    Where its shape is wrong, that alone: the rest is known when it has one.
    """
    if not isinstance(document.value, dict) or not isinstance(document.value.get("metadata"), dict):
        return
    doubled = list(_doubled(document))
    try:
        validator().validate_python(document.value, strict=True)
    except ValidationError as error:
        root = read_spans(text.removeprefix(BYTE_ORDER_MARK))
        found = {(one.where, one.said): one for one in (*doubled, *_misshapen(document, root, error))}
        yield from found.values()
        return
    if doubled:
        yield from doubled
        return
    yield from old_spellings(document, text)
    yield from _slips(document)
    yield from _misplaced(document)
    yield from _counts(document)


def _doubled(document: Document) -> Iterator[Rewrite]:
    """Yield the removal of a second spelling that says the same as the first."""
    for block, keys in (
        ("falsification_tests", ("rule", "prediction", "if_fails")),
        ("proof_obligations", ("property", "formal")),
    ):
        for path, item in items_of(document, block):
            for canonical, alias in (SPELLINGS[key] for key in keys):
                if isinstance(item.get(canonical), str) and item[canonical] == item.get(alias):
                    said = f"{alias} is gone: {canonical} says the same"
                    yield Rewrite(document.where_key(*path, alias), said, Remove((*path, alias)), None)


def _misshapen(document: Document, root: Node, error: ValidationError) -> Iterator[Rewrite]:
    for detail in error.errors(include_url=False):
        path, tail = place_of(detail["loc"], document.value)
        if path:
            yield from _of_shape(document, root, path, detail, in_key="[key]" in tail)


def _of_shape(document: Document, root: Node, path: Path, detail: Any, *, in_key: bool) -> Iterator[Rewrite]:
    kind, value, last = detail["type"], detail["input"], str(path[-1])
    if in_key or kind == "extra_forbidden":
        meant = nearest(last, LEVELS if in_key else siblings(path))
        if meant:
            yield _renamed(document, path, meant)
    elif kind == "string_type" and isinstance(value, (int, float)):
        node = node_at(root, path)
        if node is not None and node.kind == "scalar":
            where = document.where(*path)
            yield Rewrite(where, f"{last} is now the text {node.text!r}", Put(path, node.text), None)
    elif kind == "literal_error" and isinstance(value, str):
        meant = nearest(value, re.findall(r"'([^']*)'", detail["ctx"]["expected"]))
        if meant:
            yield Rewrite(document.where(*path), f"{value} is now {meant}", Put(path, meant), None)


def _slips(document: Document) -> Iterator[Planned]:
    value = document.value
    for key, meant in misspelt(value["metadata"], "metadata"):
        yield _renamed(document, ("metadata", key), meant)
    blocks: tuple[tuple[str, Block], ...] = (
        ("proof_obligations", "obligation"),
        ("falsification_tests", "falsifier"),
    )
    for block, kind in blocks:
        for path, item in items_of(document, block):
            for key, meant in misspelt(item, kind):
                said = f"{key} is now {meant}"
                if meant in item:
                    why = f"there is {meant} already; keep one of the two"
                    yield Left(document.where_key(*path, key), said, why)
                else:
                    yield _renamed(document, (*path, key), meant)


def _misplaced(document: Document) -> Iterator[Planned]:
    for key in OF_METADATA:
        if key in document.value:
            where, said = document.where_key(key), f"{key} is now metadata.{key}"
            if key in document.value["metadata"]:
                yield Left(where, said, f"there is metadata.{key} already; join the two by hand")
            else:
                yield Rewrite(where, said, Move((key,), "metadata"), None, moves=True)


def _counts(document: Document) -> Iterator[Rewrite]:
    stated = document.value.get("verification_summary")
    there = len(document.value.get("proof_obligations") or ())
    if isinstance(stated, dict) and stated.get("total_obligations") != there:
        path = ("verification_summary", "total_obligations")
        said = f"total_obligations is now {there}, which is how many there are"
        # What was shown of them is for whoever showed it to say.
        resolves = frozenset({"PV-COUNT-001", "SCHEMA-024"})
        yield Rewrite(document.where(*path), said, Number(path, there), resolves)


def _renamed(document: Document, path: Path, name: str) -> Rewrite:
    return Rewrite(document.where_key(*path), f"{path[-1]} is now {name}", Rename(path, name), None)
