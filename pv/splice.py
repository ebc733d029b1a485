"""One piece of a text replaced by another, and what an edit must say of itself to be made by such pieces."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from pv.spans import Node

__all__ = ["BREAK", "OwnEdit", "Splice", "changed_at", "line_of", "node_at", "same"]

BREAK = re.compile(r"\r\n|\r|\n")
"""How lines of YAML end."""


@dataclasses.dataclass(frozen=True)
class Splice:
    """Put `text` in the place of the characters from `start` to `end`."""

    start: int
    end: int
    text: str


class OwnEdit(Protocol):
    """An edit that knows itself what it means and where it goes."""

    @property
    def path(self) -> tuple[str | int, ...]:
        """Where what it changes stands."""

    def edited(self, value: Any) -> Any:
        """Return a copy of the document `value` with the edit made."""

    def places(self, root: Node, text: str) -> Iterator[Splice]:
        """Yield the splices that may make the edit, the best one first; what they do besides is refused."""


def changed_at(value: Any, path: Sequence[str | int], change: Callable[[Any], Any]) -> Any:
    """Return a copy of `value` with `change` made at `path`; what aliases share is changed there alone."""
    if not path:
        return change(value)
    step, rest = path[0], path[1:]
    if isinstance(value, dict):
        return {**value, step: changed_at(value.get(str(step)), rest, change)}
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return [*value[:step], changed_at(value[step], rest, change), *value[step + 1 :]]
    return change(None)


def node_at(root: Node, path: Sequence[str | int]) -> Node | None:
    """Return the node at `path`; None where there is none, or it is read through an alias."""
    node: Node | None = root
    for step in path:
        node = node.child(step) if node is not None else None
    return node


def line_of(text: str, offset: int) -> tuple[int, int, str]:
    """Return where the line of `offset` begins and ends, and how lines end there."""
    starts = [match.end() for match in BREAK.finditer(text, max(0, offset - 4096), offset)]
    if not starts and offset > 4096:
        starts = [match.end() for match in BREAK.finditer(text, 0, offset)]
    # Between the two characters of one line break no line begins.
    found = BREAK.search(text, offset)
    nearest = found or BREAK.search(text)
    return starts[-1] if starts else 0, found.start() if found else len(text), nearest[0] if nearest else "\n"


def same(one: Any, other: Any) -> bool:
    """Compare by type and value: 1, 1.0 and true are three things."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)
