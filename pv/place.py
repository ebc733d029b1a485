"""Where the values of a document stand; worked out from marks only when something must be said of one."""

from __future__ import annotations

import bisect
import re
from array import array
from typing import Any

__all__ = ["Marks", "Place"]

_BREAK = re.compile(r"\r\n|\r|\n")


class Place:
    """Where a value stands, and where its keys and children stand."""

    __slots__ = ("children", "column", "height", "keys", "line", "size")

    def __init__(self, line: int, column: int) -> None:
        self.line = line
        self.column = column
        self.keys: dict[str, tuple[int, int]] = {}
        self.children: dict[str, Place] | list[Place] = {}
        self.size = 1
        self.height = 0


class Marks:
    """The place of every key and value of a document without aliases, in the order of the text.

    `indices` are characters of `text`, counted from 0: eight bytes a value, where places take three hundred.
    """

    __slots__ = ("_root", "indices", "text")

    def __init__(self, text: str, indices: array[int]) -> None:
        self.text = text
        self.indices = indices
        self._root: Place | None = None

    def root(self, value: Any) -> Place:
        """Return the place of `value`, the document's whole; it is worked out once."""
        if self._root is None:
            starts = [0, *(found.end() for found in _BREAK.finditer(self.text))]
            self._root = _Placing(starts, self.indices).place(value)
        return self._root

    def first(self) -> tuple[int, int]:
        """Return line and column, from 1, of the document's whole."""
        before = _BREAK.split(self.text[: self.indices[0]])
        return len(before), len(before[-1]) + 1


class _Placing:
    """Hands out marks in the order in which a document without aliases was read."""

    def __init__(self, starts: list[int], indices: array[int]) -> None:
        self.starts = starts
        self.indices = iter(indices)

    def place(self, value: Any) -> Place:
        place = Place(*self._next())
        if type(value) is dict:
            children: dict[str, Place] = {}
            for key, child in value.items():
                place.keys[key] = self._next()
                children[key] = self._adopt(place, child)
            place.children = children
            place.height += 1
        elif type(value) is list:
            place.children = [self._adopt(place, child) for child in value]
            place.height += 1
        return place

    def _adopt(self, parent: Place, value: Any) -> Place:
        child = self.place(value)
        parent.size += child.size
        parent.height = max(parent.height, child.height)
        return child

    def _next(self) -> tuple[int, int]:
        index = next(self.indices)
        line = bisect.bisect_right(self.starts, index)
        return line, index - self.starts[line - 1] + 1
