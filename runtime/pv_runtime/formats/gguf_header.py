"""The header of a GGUF file: keys and values, and where the tensors lie.

Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3, little-endian.
Arrays are skipped here and decoded on demand: a vocabulary of 150 000 strings would take seconds.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import overload

from pv_runtime.errors import LoadError
from pv_runtime.formats.file_bytes import FileBytes
from pv_runtime.formats.ggml_types import SCALARS
from pv_runtime.formats.gguf_strings import step_over_strings

__all__ = ["STRING", "Cursor", "LazyArray", "read_value"]

STRING, ARRAY = 8, 9
_AHEAD = 1 << 16
"""Bytes that are read at a time: keys and tensors' descriptions are a few dozen each."""
_MAX_TEXT = 1 << 26
"""Bytes of one string: far beyond any chat template, and memory that a hostile file may cost."""
_MAX_STRINGS = 1 << 22
"""Strings in all arrays of a file: five times the largest vocabulary with its merges; a second at worst."""


class Cursor:
    """A position in a file's bytes that never leaves them; what it passes is copied window by window."""

    def __init__(self, source: FileBytes) -> None:
        self.source = source
        self.path = source.path
        self.position = 0
        self._window, self._start = memoryview(b""), 0
        self.strings = 0
        """Strings of arrays that have been stepped over."""

    def take(self, length: int, what: str) -> memoryview:
        """Return the next `length` bytes; raises `LoadError` where fewer are left."""
        begin = self.position
        self.skip(length, what)
        first = begin - self._start
        if first < 0 or first + length > len(self._window):
            ahead = min(max(length, _AHEAD), self.source.size - begin)
            self._window, self._start, first = memoryview(self.source.copy(begin, ahead)), begin, 0
        return self._window[first : first + length]

    def skip(self, length: int, what: str) -> None:
        """Step over the next `length` bytes unread; raises `LoadError` where fewer are left."""
        left = self.source.size - self.position
        if length > left:
            raise LoadError(
                f"{what} at byte {self.position} needs {length} bytes, {left} are left",
                self.path,
                "the file is cut short or its header is corrupt",
            )
        self.position += length

    def number(self, code: str, what: str) -> int:
        """Read one little-endian integer of `struct` code `code`."""
        layout = struct.Struct("<" + code)
        return int(layout.unpack(self.take(layout.size, what))[0])

    def text(self, what: str) -> str:
        """Read a length and that many bytes of UTF-8."""
        length = self.number("Q", f"the length of {what}")
        if _MAX_TEXT < length <= self.source.size - self.position:
            raise LoadError(f"{what} has {length} bytes; more than {_MAX_TEXT} are refused", self.path)
        try:
            return str(self.take(length, what), "utf-8")
        except UnicodeDecodeError as error:
            raise LoadError(f"{what} is not UTF-8: {error}", self.path) from error


class LazyArray(Sequence[object]):
    """An array value whose elements are decoded when they are first asked for."""

    def __init__(self, cursor: Cursor, kind: int, count: int, start: int, key: str) -> None:
        self._cursor, self._kind, self._count, self._start, self._key = cursor, kind, count, start, key
        self._items: tuple[object, ...] | None = None

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> object: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[object]: ...
    def __getitem__(self, index: int | slice) -> object:
        return self._decoded()[index]

    def __iter__(self) -> Iterator[object]:
        return iter(self._decoded())

    def __repr__(self) -> str:
        return f"<array of {self._count}>"

    @property
    def kind(self) -> str:
        """GGUF's name of the elements' type, such as ``"STRING"``."""
        return "STRING" if self._kind == STRING else SCALARS[self._kind][0]

    def first(self, count: int) -> tuple[object, ...]:
        """Return up to `count` elements from the beginning; the others are not decoded for it."""
        return self._items[:count] if self._items is not None else self._decode(min(count, self._count))

    def _decoded(self) -> tuple[object, ...]:
        if self._items is None:
            self._items = self._decode(self._count)
        return self._items

    def _decode(self, count: int) -> tuple[object, ...]:
        cursor = Cursor(self._cursor.source)
        cursor.position = self._start
        if self._kind == STRING:
            return tuple(cursor.text(f"an element of {self._key}") for _ in range(count))
        layout = struct.Struct(f"<{count}{SCALARS[self._kind][1]}")
        values = layout.unpack(cursor.take(layout.size, self._key))
        return tuple(map(bool, values)) if SCALARS[self._kind][0] == "BOOL" else values


def read_value(cursor: Cursor, key: str) -> tuple[int, object]:
    """Read a type number and a value of that type.

    Raises
    ------
    LoadError
        The type is unknown, an array is nested, or the value does not fit the file.
    """
    kind = cursor.number("I", f"the type of {key}")
    if kind == STRING:
        return kind, cursor.text(key)
    if kind == ARRAY:
        return kind, _array(cursor, key)
    return kind, _scalar(cursor, kind, key)


def _scalar(cursor: Cursor, kind: int, key: str) -> object:
    if kind not in SCALARS:
        raise LoadError(f"{key} has the value type {kind}, which GGUF does not define", cursor.path)
    name, code = SCALARS[kind]
    layout = struct.Struct("<" + code)
    (value,) = layout.unpack(cursor.take(layout.size, key))
    if name == "BOOL":
        if value > 1:
            raise LoadError(f"{key} is a bool of value {value}", cursor.path)
        return bool(value)
    return value


def _array(cursor: Cursor, key: str) -> LazyArray:
    """Step over an array, checking that it fits, and remember where it lies."""
    kind = cursor.number("I", f"the element type of {key}")
    count = cursor.number("Q", f"the length of {key}")
    start = cursor.position
    if kind == STRING:
        if count * 8 > cursor.source.size - start:  # before looping: a count of 2**64 - 1 would never end
            raise LoadError(f"{key} announces {count} strings, more than the file can hold", cursor.path)
        cursor.strings += count
        if cursor.strings > _MAX_STRINGS:
            raise LoadError(f"{key}: more than {_MAX_STRINGS} strings in arrays are refused", cursor.path)
        end = step_over_strings(cursor.source.copy, cursor.source.size, start, count)
        if end is None:
            raise LoadError(f"{key} leaves the file: its {count} strings do not fit", cursor.path)
        cursor.position = end
    elif kind in SCALARS:
        cursor.skip(count * struct.calcsize("<" + SCALARS[kind][1]), key)
    else:
        raise LoadError(
            f"{key} is an array of type {kind}; nested and unknown types are refused", cursor.path
        )
    return LazyArray(cursor, kind, count, start, key)
