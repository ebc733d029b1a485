"""Where the values of a document stand; a line is worked out only when something must be said of it."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

__all__ = ["Marks", "Place", "Spot"]

Spot = tuple[int, int]
"""Line and column, from 1."""


class Place:
    """Where a value stands, and where its keys and children stand: known as the document is read."""

    __slots__ = ("children", "column", "height", "keys", "line", "size")

    def __init__(self, line: int, column: int) -> None:
        self.line = line
        self.column = column
        self.keys: dict[str, Spot] = {}
        self.children: dict[str, Place] | list[Place] = {}
        self.size = 1
        self.height = 0

    def find(self, _value: Any, path: Sequence[str | int], *, key: bool) -> Spot:
        """Return where the value at `path` stands, or its nearest parent, or where its key does.

        An item of a list, and the whole, are their own keys.
        """
        place = self
        spot = (place.line, place.column)
        for step in path:
            children = place.children
            if isinstance(step, str) and isinstance(children, dict) and step in children:
                spot = place.keys[step]
                place = children[step]
            elif isinstance(step, int) and isinstance(children, list) and 0 <= step < len(children):
                place = children[int(step)]
                spot = (place.line, place.column)
            else:
                break
        return spot if key else (place.line, place.column)


class Marks:
    """The same for a document without aliases, in four bytes a value.

    `indices` are the characters of `text`, from 0, at which keys and values begin, in its order.
    `ends` is, of each mapping and list, the number of its own mark → that of the first mark behind it.
    """

    __slots__ = ("_items", "ends", "indices", "text")

    def __init__(self, text: str, indices: array[int], ends: dict[int, int]) -> None:
        self.text = text
        self.indices = indices
        self.ends = ends
        self._items: dict[int, array[int]] = {}
        """Of each list that was asked of, the number of its own mark → those of its items' marks."""

    def find(self, value: Any, path: Sequence[str | int], *, key: bool) -> Spot:
        """Return what :meth:`Place.find` does; `value` is the document's whole."""
        at = name_at = 0
        for step in path:
            if isinstance(step, str) and isinstance(value, dict) and step in value:
                name_at = at + 1
                for name, child in value.items():
                    at = name_at + 1
                    if name == step:
                        value = child
                        break
                    name_at = self._behind(at, child)
            elif isinstance(step, int) and isinstance(value, list) and 0 <= step < len(value):
                name_at = at = self._marks_of(at, value)[step]
                value = value[step]
            else:
                break
        return self._spot(name_at if key else at)

    def _marks_of(self, at: int, items: list[Any]) -> array[int]:
        """Return the numbers of the marks of `items`, worked out once: all of thousands may be asked of."""
        if at not in self._items:
            found = array("I")
            mark = at + 1
            for item in items:
                found.append(mark)
                mark = self._behind(mark, item)
            self._items[at] = found
        return self._items[at]

    def _behind(self, at: int, value: Any) -> int:
        return self.ends[at] if isinstance(value, dict | list) else at + 1

    def _spot(self, number: int) -> Spot:
        index = self.indices[number]
        if "\r" in self.text:
            before = self.text[:index].replace("\r\n", "\n").replace("\r", "\n")
            return before.count("\n") + 1, len(before) - before.rfind("\n")
        return self.text.count("\n", 0, index) + 1, index - self.text.rfind("\n", 0, index)
