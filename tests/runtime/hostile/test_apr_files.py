"""Attack shapes of APR in a child with limits: every field flipped and overflowed, and large files."""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SECONDS = 5.0
MEMORY = 96 << 20
Endings = dict[str, dict[str, Any]]
OpenInChild = Callable[..., Endings]

HEADER = {
    "version": (4, "BB"), "flags": (6, "H"), "tensor count": (8, "I"), "metadata offset": (12, "Q"),
    "metadata size": (20, "I"), "index offset": (24, "Q"), "data offset": (32, "Q"),
}  # fmt: skip
"""Fields of the header: where they lie, and how."""

NAME = b"model.norm.weight"
ENTRY = {
    "name length": (0, "H"), "type code": (2 + len(NAME), "B"), "rank": (3 + len(NAME), "B"),
    "first dimension": (4 + len(NAME), "Q"), "second dimension": (12 + len(NAME), "Q"),
    "offset": (20 + len(NAME), "Q"), "size": (28 + len(NAME), "Q"),
}  # fmt: skip
"""Fields of an entry of the index."""

METADATA = b'{"architecture":"qwen2","vocab_size":96}'


def sealed(raw: bytearray) -> bytes:
    """Make the header's checksum right, as whoever writes a hostile file does."""
    raw[40:44] = struct.pack("<I", zlib.crc32(raw[44:64], zlib.crc32(raw[:40])))
    return bytes(raw)


def honest() -> bytearray:
    """A file of one tensor, 2 x 256 in F32, with its footer."""
    entry = struct.pack("<H", len(NAME)) + NAME + struct.pack("<BB4Q", 0, 2, 2, 256, 0, 2048)
    text, index = METADATA.ljust(64, b"\0"), entry.ljust(64, b"\0")
    head = struct.pack("<4sBBHIQIQQI20x", b"APR\0", 2, 0, 0x420, 1, 64, len(METADATA), 128, 192, 0)
    body = sealed(bytearray(head)) + text + index + bytes(2048)
    return bytearray(body + struct.pack("<I", zlib.crc32(body)))


def changes(code: str, value: int) -> set[int]:
    """Return values of a field at which counters, signs and products break."""
    top = 1 << 8 * struct.calcsize("<" + code)
    near = {0, 1, 2, 8, 63, 64, 65, 255, value - 1, value + 1, 2**31, 2**32 - 1, 2**61, 2**63}
    return {each % top for each in near | {top - 1, top - 64, top // 2}} - {value}


def shapes() -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for start, fields in ((0, HEADER), (128, ENTRY)):
        for name, (place, codes) in fields.items():
            for step, code in enumerate(codes):
                at, size = start + place + step, struct.calcsize("<" + code)
                value = int.from_bytes(honest()[at : at + size], "little")
                for changed in changes(code, value):
                    raw = honest()
                    raw[at : at + size] = changed.to_bytes(size, "little")
                    found[f"{name}.{step} is {changed}"] = sealed(raw)
    return found


SHAPES = shapes()


def test_every_field_flipped_and_overflowed(tmp_path: Path, open_in_child: OpenInChild) -> None:
    """A field of the structure has one right value; flags that say nothing of the layout are free."""
    names = [f"{number}.apr" for number in range(len(SHAPES))]
    for name, raw in zip(names, SHAPES.values(), strict=True):
        (tmp_path / name).write_bytes(raw)
    (tmp_path / "honest").write_bytes(honest())
    endings = open_in_child([tmp_path / "honest", *(tmp_path / name for name in names)], MEMORY)
    assert endings.pop(str(tmp_path / "honest"))["ended"] == "opened"
    ended = dict(zip(SHAPES, endings.values(), strict=True))
    assert all(each["seconds"] < SECONDS for each in ended.values())
    opened = {shape for shape, each in ended.items() if each["ended"] == "opened"}
    assert opened == {"flags.0 is 0", "flags.0 is 8", "flags.0 is 64"}
    assert len(ended) > 150


def sparse(head: bytes, size: int) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with path.open("wb") as file:
            file.write(head)
            file.truncate(size)

    return write


def header(count: int, metadata: int, index: int, data: int) -> bytes:
    raw = struct.pack("<4sBBHIQIQQI20x", b"APR\0", 2, 0, 0x400, count, 64, metadata, index, data, 0)
    return sealed(bytearray(raw))


def many(count: int) -> bytes:
    """An index of tensors of one element, all at their places."""
    rows = (
        struct.pack("<H", 8) + b"%08d" % number + struct.pack("<BB3Q", 0, 1, 1, 64 * number, 4)
        for number in range(count)
    )
    return b"".join(rows)


INDEX = many(60_000)
BRACKETS = b'{"a":[' + b",".join(itertools.repeat(b"[]", 5_000_000)) + b"]}"

LARGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "an index of a gibibyte": (sparse(header(1, 2, 128, 1 << 30) + b"{}", 1 << 30), "name of 0 bytes"),
    "2^32-1 tensors in it": (sparse(header(2**32 - 1, 2, 128, 1 << 30) + b"{}", 1 << 30), "are refused"),
    "metadata of half a gibibyte": (
        sparse(header(0, 1 << 29, 64 + (1 << 29), 1 << 30), 1 << 30), "exceed"
    ),
    "five million lists": (
        sparse(header(0, len(BRACKETS), 64 + len(BRACKETS), 1 << 24) + BRACKETS, 1 << 24), "are refused"
    ),
    "data without a tensor": (sparse(header(0, 2, 128, 128) + b"{}", 1 << 30), "follow the last tensor"),
}  # fmt: skip


@pytest.mark.parametrize("shape", LARGE)
def test_large_files_cost_neither_memory_nor_time(
    tmp_path: Path, open_in_child: OpenInChild, shape: str
) -> None:
    make, message = LARGE[shape]
    make(tmp_path / "x")
    (ending,) = open_in_child([tmp_path / "x"], MEMORY + (1 << 30)).values()
    assert message in ending["ended"]
    assert ending["seconds"] < SECONDS


def test_the_most_that_is_accepted_is_bounded_too(tmp_path: Path, open_in_child: OpenInChild) -> None:
    data = 128 + len(INDEX) + -len(INDEX) % 64
    head = (header(60_000, 2, 128, data) + b"{}").ljust(128, b"\0") + INDEX
    sparse(head, data + 64 * 60_000)(tmp_path / "x")
    (ending,) = open_in_child([tmp_path / "x"], MEMORY).values()
    assert ending["ended"] == "opened"
    assert ending["seconds"] < SECONDS
