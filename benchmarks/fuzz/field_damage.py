"""Binary files as their parts, so that a number can be changed where it stands and what it is is known."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Sequence
from random import Random

from benchmarks.fuzz.byte_damage import NASTY

__all__ = ["Field", "Part", "damage_fields", "packed", "text"]


@dataclasses.dataclass
class Field:
    """A little-endian integer: its `struct` code and its value."""

    code: str
    value: int

    def pack(self) -> bytes:
        """Return its bytes; a value that is too large wraps."""
        size = struct.calcsize("<" + self.code)
        return (self.value % (1 << 8 * size)).to_bytes(size, "little")


Part = Field | bytes


def text(value: bytes, code: str = "Q") -> list[Part]:
    """Return a length and the bytes."""
    return [Field(code, len(value)), value]


def packed(parts: Sequence[Part]) -> bytes:
    """Return the parts one after another."""
    return b"".join([part if isinstance(part, bytes) else part.pack() for part in parts])


def damage_fields(parts: list[Part], random: Random) -> None:
    """Change one to three of the numbers, in place; sometimes a part is lost, doubled or swapped instead."""
    numbers = [part for part in parts if isinstance(part, Field)]
    for _ in range(random.randint(1, 3)):
        kind = random.random()
        if kind < 0.75 and numbers:
            field = random.choice(numbers)
            near = field.value + random.choice((-32, -8, -1, 1, 2, 8, 32))
            field.value = near if random.random() < 0.4 else random.choice(NASTY)
        elif len(parts) > 1:
            place, other = random.randrange(len(parts)), random.randrange(len(parts))
            if kind < 0.85:
                parts[place], parts[other] = parts[other], parts[place]
            elif kind < 0.95:
                parts.insert(place, parts[other])
            else:
                del parts[place]
