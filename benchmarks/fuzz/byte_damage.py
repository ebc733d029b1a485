"""Damage that knows nothing of a format: bits, bytes, integers, spans, words."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from random import Random

__all__ = ["NASTY", "damaged"]

NASTY = (
    *(0, 1, 2, 3, 7, 8, 9, 15, 16, 31, 32, 33, 63, 64, 65, 127, 128, 255, 256, 257, 4095, 4096, 65535, 65536),
    *(
        2**31 - 1,
        2**31,
        2**32 - 1,
        2**32,
        2**53 + 1,
        2**61,
        2**63 - 8,
        2**63 - 1,
        2**63,
        2**64 - 8,
        2**64 - 1,
    ),
)
"""Values at which counters, signs, alignments and products break."""

_MOST = 1 << 16
"""Bytes of an input: large files are the business of tests that make them by hand."""

Damage = Callable[[bytearray, Random, Sequence[bytes]], None]


def damaged(data: bytes, random: Random, words: Sequence[bytes]) -> bytes:
    """Return `data` with one to four kinds of damage; at most 64 KiB."""
    raw = bytearray(data)
    for _ in range(1 + (random.getrandbits(2) if random.random() < 0.5 else 0)):
        random.choice(_KINDS)(raw, random, words)
    del raw[_MOST:]
    return bytes(raw)


def _bit(raw: bytearray, random: Random, _: Sequence[bytes]) -> None:
    if raw:
        raw[random.randrange(len(raw))] ^= 1 << random.getrandbits(3)


def _byte(raw: bytearray, random: Random, _: Sequence[bytes]) -> None:
    if raw:
        raw[random.randrange(len(raw))] = random.getrandbits(8)


def _number(raw: bytearray, random: Random, _: Sequence[bytes]) -> None:
    """Write a number that breaks things over one to eight bytes, or add a little to what is there."""
    size = 1 << random.getrandbits(2)
    if len(raw) < size:
        return
    place = random.randrange(len(raw) - size + 1)
    if random.random() < 0.3:
        value = int.from_bytes(raw[place : place + size], "little") + random.randint(-9, 9)
    else:
        value = random.choice(NASTY)
    raw[place : place + size] = (value % (1 << 8 * size)).to_bytes(size, "little")


def _cut(raw: bytearray, random: Random, _: Sequence[bytes]) -> None:
    del raw[random.randrange(len(raw) + 1) :]


def _removed(raw: bytearray, random: Random, _: Sequence[bytes]) -> None:
    place = random.randrange(len(raw) + 1)
    del raw[place : place + _short(random)]


def _repeated(raw: bytearray, random: Random, _: Sequence[bytes]) -> None:
    """Copy a span to another place, once or many times."""
    place, length = random.randrange(len(raw) + 1), _short(random)
    times = 1 if random.random() < 0.8 else random.choice((2, 20, 300))
    where = place if random.random() < 0.5 else random.randrange(len(raw) + 1)
    raw[where:where] = raw[place : place + length] * times


def _overwritten(raw: bytearray, random: Random, _: Sequence[bytes]) -> None:
    place, length = random.randrange(len(raw) + 1), _short(random)
    where = random.randrange(len(raw) + 1)
    raw[where : where + length] = raw[place : place + length]


def _longer(raw: bytearray, random: Random, _: Sequence[bytes]) -> None:
    raw += random.choice((bytes(1), bytes(32), bytes(4096), b"\xff" * 7, b"PK\x03\x04", b"\n", b"{}"))


def _word(raw: bytearray, random: Random, words: Sequence[bytes]) -> None:
    """Put a word of the format somewhere, or over something."""
    word = random.choice(words) if words else struct.pack("<Q", random.choice(NASTY))
    place = random.randrange(len(raw) + 1)
    raw[place : place + (len(word) if random.random() < 0.5 else 0)] = word


def _short(random: Random) -> int:
    return 1 + int(random.random() ** 3 * 64)


_KINDS: tuple[Damage, ...] = (
    _bit, _byte, _byte, _number, _number, _number, _cut, _removed, _repeated, _overwritten, _longer, _word,
    _word
)  # fmt: skip
