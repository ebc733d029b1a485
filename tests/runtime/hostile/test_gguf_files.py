"""Attack shapes of GGUF, each a file, most of them seen in the wild; the rest are in formats/test_gguf.py."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pytest

ARRAY, STRING, U8, U32, U64 = 9, 8, 0, 4, 10
SECONDS = 5.0
MEMORY = 96 << 20


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def key(name: bytes, kind: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


def strings(count: int, payload: bytes = b"") -> bytes:
    return key(b"tokenizer.ggml.tokens", ARRAY, struct.pack("<IQ", STRING, count) + payload)


def tensor(name: bytes = b"w", dims: tuple[int, ...] = (8,), kind: int = 0, offset: int = 0) -> bytes:
    return text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, offset)


def head(tensors: int = 0, keys: int = 0, version: int = 3, magic: bytes = b"GGUF") -> bytes:
    return magic + struct.pack("<IQQ", version, tensors, keys)


def file(keys: Sequence[bytes] = (), tensors: Sequence[bytes] = (), data: int = 0) -> bytes:
    whole = head(len(tensors), len(keys)) + b"".join(keys) + b"".join(tensors)
    return whole + bytes(-len(whole) % 32) + bytes(data)


SHAPES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "four-bytes": (b"GGUF", "the version"),
    "lower-case": (head(magic=b"gguf"), "length"),
    "reversed-magic": (head(magic=b"FUGG"), "big-endian"),
    "version-0": (head(version=0), "version 0"),
    "version-2^32-1": (head(version=2**32 - 1), "version"),
    "keys-2^64-1": (head(keys=2**64 - 1), "cannot fit"),
    "keys-2^63": (head(keys=2**63), "cannot fit"),
    "keys-one-more": (file([key(b"a", U32, bytes(4))])[:16] + struct.pack("<Q", 2) + bytes(100), "key has 0"),
    "tensors-2^64-1": (head(tensors=2**64 - 1), "cannot fit"),
    "tensors-2^61": (head(tensors=2**61), "cannot fit"),
    "tensors-that-wrap-the-product": (head(tensors=2**64 // 24 + 1), "cannot fit"),
    "key-length-2^64-1": (head(keys=1) + struct.pack("<Q", 2**64 - 1) + bytes(64), "needs"),
    "key-length-2^63": (head(keys=1) + struct.pack("<Q", 2**63) + bytes(64), "needs"),
    "string-length-2^64-8": (file([key(b"a", STRING, struct.pack("<Q", 2**64 - 8) + bytes(9))]), "needs"),
    "strings-2^64-1": (file([strings(2**64 - 1)]), "more than the file can hold"),
    "strings-2^31": (file([strings(2**31, bytes(64))]), "more than the file can hold"),
    "string-with-a-negative-length": (
        file([strings(2, text(b"a") + struct.pack("<q", -8) + bytes(64))]), "do not fit"
    ),
    "strings-that-run-in-a-circle": (
        file([strings(2, struct.pack("<QQ", 2**64 - 16, 0) + bytes(64))]), "do not fit"
    ),
    "array-in-arrays": (
        file([key(b"a", ARRAY, struct.pack("<IQ", ARRAY, 1) * 2000)]), "nested"
    ),
    "array-of-2^64-1-bytes": (file([key(b"a", ARRAY, struct.pack("<IQ", U8, 2**64 - 1))]), "needs"),
    "array-whose-size-wraps": (file([key(b"a", ARRAY, struct.pack("<IQ", U64, 2**61 + 1))]), "needs"),
    "alignment-0": (file([key(b"general.alignment", U32, bytes(4))]), "power of two"),
    "alignment-2^31": (file([key(b"general.alignment", U32, struct.pack("<I", 2**31))]), "power of two"),
    "alignment-2^21": (file([key(b"general.alignment", U32, struct.pack("<I", 2**21))]), "power of two"),
    "alignment-as-text": (file([key(b"general.alignment", STRING, text(b"32"))]), "no UINT32"),
    "alignment-twice": (file([key(b"general.alignment", U32, struct.pack("<I", 32))] * 2), "occurs twice"),
    "dimensions-5": (file((), [tensor(dims=(1,) * 5)], 32), "5 dimensions"),
    "dimensions-2^31": (file((), [text(b"w") + struct.pack("<I", 2**31) + bytes(64)], 32), "dimensions"),
    "dimension-0": (file((), [tensor(dims=(0,))], 32), "dimensions"),
    "dimension-negative": (file((), [tensor(dims=(2**64 - 1,))], 32), "dimensions"),
    "dimensions-whose-product-is-0-in-64-bits": (file((), [tensor(dims=(2**32, 2**32))], 32), "cut short"),
    "dimensions-whose-product-is-8-in-64-bits": (file((), [tensor(dims=(2**61 + 1, 8))], 32), "cut short"),
    "exabytes-of-q4-k": (file((), [tensor(dims=(2**56, 2), kind=12)], 32), "cut short"),
    "row-of-part-of-a-block": (file((), [tensor(dims=(255, 256), kind=14)], 256), "multiple of Q6_K"),
    "type-negative": (file((), [tensor(kind=2**32 - 1)], 32), "not known here"),
    "type-between": (file((), [tensor(kind=5)], 32), "Q4_3"),
    "offset-2^64-32": (file((), [tensor(offset=2**64 - 32)], 32), "offset"),
    "offsets-that-overlap": (file((), [tensor(b"a"), tensor(b"b")], 64), "offset 0"),
    "sizes-whose-sum-wraps": (
        file((), [tensor(b"a", (2**60, 2)), tensor(b"b", (2**60, 2), offset=2**63)], 64), "cut short"
    ),
    "end-past-the-file": (file((), [tensor(dims=(1024,))], 64), "cut short"),
    "tensor-twice": (file((), [tensor(), tensor(offset=32)], 64), "occurs twice"),
    "key-twice": (file([key(b"a", U32, bytes(4))] * 2), "occurs twice"),
    "name-not-utf-8": (file((), [tensor(b"\xff\xfe")], 32), "UTF-8"),
    "name-with-half-a-surrogate": (file((), [tensor(b"\xed\xa0\x80")], 32), "UTF-8"),
    "split-of-65535": (
        file([key(b"split.count", 2, b"\xff\xff"), key(b"split.no", 2, bytes(2)),
              key(b"split.tensors.count", 5, struct.pack("<i", 1))]), "not named as one",
    ),
    "split-of-minus-one": (
        file([key(b"split.count", 5, struct.pack("<i", -1))]), "split.count is -1",
    ),
    "split-with-a-path": (
        file([key(b"split.count", STRING, text(b"../../etc/passwd"))]), "split.count is '../../etc/passwd'",
    ),
}  # fmt: skip


def sparse(write: Callable[[BinaryIO], object], size: int) -> Callable[[Path], None]:
    """A large file of zeros with a few bytes at its beginning; it takes up no disk."""

    def make(path: Path) -> None:
        with path.open("wb") as target:
            write(target)
            target.truncate(size)

    return make


LARGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "2^26 keys": (sparse(lambda f: f.write(head(keys=2**26)), 1 << 30), "more than 65536"),
    "2^25 tensors": (sparse(lambda f: f.write(head(tensors=2**25)), 1 << 30), "more than 65536 or 1048576"),
    "2^26 empty strings": (
        sparse(lambda f: f.write(head(keys=1) + strings(2**26)), 1 << 30), "more than 4194304 strings"
    ),
    "a string of 900 MiB": (
        sparse(lambda f: f.write(head(keys=1) + key(b"a", STRING, struct.pack("<Q", 900 << 20))), 1 << 30),
        "more than 67108864 are refused",
    ),
    "a key of 900 MiB": (
        sparse(lambda f: f.write(head(keys=1) + struct.pack("<Q", 900 << 20)), 1 << 30), "are refused"
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def endings(
    tmp_path_factory: pytest.TempPathFactory, open_in_child: Callable[..., dict[str, dict[str, Any]]]
) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("gguf")
    for name, (data, _) in SHAPES.items():
        (folder / name).write_bytes(data)
    found = open_in_child([folder / name for name in SHAPES], MEMORY)
    return {Path(path).name: ending for path, ending in found.items()}


@pytest.mark.parametrize("shape", SHAPES)
def test_ends_in_a_named_error(endings: dict[str, dict[str, Any]], shape: str) -> None:
    assert SHAPES[shape][1] in endings[shape]["ended"]
    assert endings[shape]["seconds"] < SECONDS


@pytest.mark.parametrize("shape", LARGE)
def test_large_files_cost_neither_memory_nor_time(
    tmp_path: Path, open_in_child: Callable[..., dict[str, dict[str, Any]]], shape: str
) -> None:
    make, message = LARGE[shape]
    make(tmp_path / "x")
    (ending,) = open_in_child([tmp_path / "x"], MEMORY + (1 << 30)).values()
    assert message in ending["ended"]
    assert ending["seconds"] < SECONDS


def test_the_most_that_is_accepted_is_bounded_too(
    tmp_path: Path, open_in_child: Callable[..., dict[str, dict[str, Any]]]
) -> None:
    """2^22 strings of no characters: the slowest header that is let through, since no guess holds."""
    sparse(lambda f: f.write(head(keys=1) + strings(2**22)), 2**25 + 96)(tmp_path / "x")
    (ending,) = open_in_child([tmp_path / "x"], MEMORY + (1 << 25)).values()
    assert ending["ended"] == "opened"
    assert ending["seconds"] < SECONDS


def test_the_limits_are_felt(tmp_path: Path, open_in_child: Callable[..., dict[str, dict[str, Any]]]) -> None:
    """A file that the limit does not allow for cannot be mapped: the limit is real, and its ending named."""
    sparse(lambda f: f.write(head()), 1 << 30)(tmp_path / "x")
    (ending,) = open_in_child([tmp_path / "x"], MEMORY).values()
    assert "cannot be mapped" in ending["ended"]
