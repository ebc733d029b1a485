"""What a child that fuzzes has done so far, in memory that it shares with its parent.

A child may end at any input, by a signal too: what it was at, and what it had counted, must outlive it.
"""

from __future__ import annotations

import dataclasses
import mmap
import struct
from pathlib import Path
from typing import Self

__all__ = ["Board", "Counts"]

_COUNTS = struct.Struct("<4Q2d")
_LENGTH = struct.Struct("<Q")
_SIZE = 1 << 21
_START = _COUNTS.size + _LENGTH.size


@dataclasses.dataclass
class Counts:
    """How many inputs were tried, and how they ended; and the most that one of them cost."""

    tried: int = 0
    accepted: int = 0
    rejected: int = 0
    escaped: int = 0
    seconds: float = 0.0
    mebibytes: float = 0.0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.tried + other.tried,
            self.accepted + other.accepted,
            self.rejected + other.rejected,
            self.escaped + other.escaped,
            max(self.seconds, other.seconds),
            max(self.mebibytes, other.mebibytes),
        )


class Board:
    """A file of fixed size, mapped by both processes."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(_SIZE))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _SIZE)

    def begin(self, data: bytes) -> None:
        """Note the input that is read next."""
        self._memory[_COUNTS.size : _START + len(data)] = _LENGTH.pack(len(data)) + data

    def note(self, counts: Counts) -> None:
        """Note what has been counted."""
        self._memory[: _COUNTS.size] = _COUNTS.pack(*dataclasses.astuple(counts))

    def counts(self) -> Counts:
        """Return what was counted."""
        return Counts(*_COUNTS.unpack(self._memory[: _COUNTS.size]))

    def current(self) -> bytes:
        """Return the input that was begun last."""
        (length,) = _LENGTH.unpack(self._memory[_COUNTS.size : _START])
        return self._memory[_START : _START + length]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._memory.close()
