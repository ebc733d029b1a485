"""Where each part of a YAML text begins and ends, as character offsets: what an edit in place needs.

:mod:`pv.document` gives values and where they begin, and refuses what could hide a meaning. This gives no
values; it is for texts that were accepted there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, Literal

import yaml

__all__ = ["Node", "read_spans"]

# Both parsers give the same marks; the one with C is eleven times faster.
_PARSER: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


@dataclasses.dataclass(frozen=True, kw_only=True)
class Node:
    """A node as it is written. Offsets count characters from the beginning of the text.

    `start` is where its anchor or tag stands, or else the node itself; `content` of a flow collection is
    behind its opening bracket. A block collection's `end` is where the next thing begins, behind comments:
    :meth:`last` has the end that counts. `entries` are (key, value), the key None in a sequence.
    """

    kind: Literal["scalar", "mapping", "sequence", "alias"]
    start: int
    content: int
    end: int
    style: str | None = None
    flow: bool = False
    text: str = ""
    """A scalar's text before it is taken for a number, a word or null; an alias' name."""
    anchored: bool = False
    entries: tuple[tuple[Node | None, Node], ...] = ()

    @property
    def block_scalar(self) -> bool:
        """Whether it is written with ``|`` or ``>``."""
        return self.kind == "scalar" and self.style in {"|", ">"}

    def last(self) -> Node:
        """Return the node that is written last within this one: a scalar, an alias or a flow collection."""
        node = self
        while node.kind in {"mapping", "sequence"} and not node.flow:
            node = node.entries[-1][1]
        return node

    def child(self, step: str | int) -> Node | None:
        """Return the value under a key or at an index; None where there is none, or this is an alias."""
        if isinstance(step, int):
            return self.entries[step][1] if self.kind == "sequence" and step < len(self.entries) else None
        found = (value for key, value in self.entries if key is not None and key.text == step)
        return next(found, None)

    def key(self, step: str) -> Node | None:
        """Return the key `step` of a mapping."""
        return next((key for key, _ in self.entries if key is not None and key.text == step), None)


def read_spans(text: str) -> Node:
    """Return the root of `text`, which :func:`pv.document.parse` accepts and has no byte order mark.

    Raises
    ------
    yaml.YAMLError
        It is not YAML.
    """
    parser = _PARSER(text)
    try:
        events = iter(parser.get_event, None)
        event = next(events)
        while not isinstance(event, yaml.NodeEvent):
            event = next(events)
        return _node(event, events)
    finally:
        parser.dispose()


def _node(event: Any, events: Iterator[Any]) -> Node:
    """Read one node; documents are at most 64 levels deep, so recursion is bounded."""
    start, end = event.start_mark.index, event.end_mark.index
    anchored = event.anchor is not None
    kind = type(event)
    if kind is yaml.AliasEvent:
        return Node(kind="alias", start=start, content=start, end=end, text=event.anchor)
    if kind is yaml.ScalarEvent:
        return Node(
            kind="scalar", start=start, content=start, end=end, style=event.style or None,
            text=event.value, anchored=anchored,
        )  # fmt: skip
    mapping = kind is yaml.MappingStartEvent
    entries: list[tuple[Node | None, Node]] = []
    while True:
        inner = next(events)
        if type(inner) in {yaml.MappingEndEvent, yaml.SequenceEndEvent}:
            break
        first = _node(inner, events)
        entries.append((first, _node(next(events), events)) if mapping else (None, first))
    return Node(
        kind="mapping" if mapping else "sequence", start=start, content=end, end=inner.end_mark.index,
        flow=bool(event.flow_style), anchored=anchored, entries=tuple(entries),
    )  # fmt: skip
