"""Attack shapes of safetensors that need a file of their own or a limit; the rest are in formats/."""

from __future__ import annotations

import copy
import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import safetensors
from hypothesis import given, settings
from hypothesis import strategies as st
from pv_runtime.errors import LoadError
from pv_runtime.formats import open_checkpoint

SECONDS = 20.0
Endings = dict[str, dict[str, Any]]


def content(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype: str = "U8", shape: Any = (8,), offsets: Any = (0, 8)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def many(count: int) -> bytes:
    """As many tensors, all on the same bytes: a small file that claims to be a large one."""
    one = b'"%d":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}'
    return b"{" + b",".join(one % index for index in range(count)) + b"}"


SHAPES: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "is empty"),
    "length-0": (lambda: bytes(16), "length 0"),
    "length-1000": (lambda: struct.pack("<Q", 1000) + b"{}", "length 1000 does not fit"),
    "length-2^63": (lambda: struct.pack("<Q", 2**63) + b"{}", "does not fit"),
    "length-2^64-1": (lambda: struct.pack("<Q", 2**64 - 1) + b"{}", "does not fit"),
    "length-2^64-8": (lambda: struct.pack("<Q", 2**64 - 8) + b"{}", "does not fit"),
    "same-bytes-200000-times": (lambda: content(many(200_000), bytes(8)), "overlaps"),
    "empty-tensors-by-the-thousand": (
        lambda: content({str(i): entry(shape=[0], offsets=[9, 9]) for i in range(50_000)}, bytes(8)), "hole"
    ),
    "deep-lists": (lambda: content(b'{"a":' + b"[" * 500_000, b""), "nested too deeply"),
    "deep-objects": (lambda: content(b'{"a":' * 300_000, b""), "nested too deeply"),
    "a-number-of-a-million-digits": (
        lambda: content(b'{"a":{"dtype":"U8","shape":[' + b"9" * 1_000_000 + b'],"data_offsets":[0,8]}}'),
        "cannot be parsed",
    ),
    "a-shape-of-a-million-sizes": (
        lambda: content(
            b'{"a":{"dtype":"U8","shape":[' + b"1," * 999_999 + b'1],"data_offsets":[0,1]}}', b"\0"
        ),
        "shape",
    ),
    "sizes-whose-product-takes-a-megabyte": (
        lambda: content({"a": entry(shape=[2**62] * 32)}, bytes(8)), "its dtype and shape need"
    ),
    "fp4-in-half-a-byte": (lambda: content({"a": entry("F4", [3], [0, 1])}, b"\0"), "ends inside a byte"),
    "fp6-in-part-of-a-byte": (
        lambda: content({"a": entry("F6_E2M3", [5], [0, 4])}, bytes(4)), "ends inside a byte"
    ),
    "a-zip-behind-it": (lambda: content({"a": entry()}, bytes(8) + b"PK\x03\x04"), "accounts for"),
    "a-zip-between": (
        lambda: content({"a": entry(), "b": entry(offsets=[12, 20])}, bytes(8) + b"PK\x03\x04" + bytes(8)),
        "hole",
    ),
    "utf-16": (lambda: content('{"a":0}'.encode("utf-16-le")), "cannot be parsed"),
    "utf-8-with-a-mark": (lambda: content(b'\xef\xbb\xbf{"a":0}'), "begin with"),
    "a-duplicate-deep-inside": (
        lambda: content(b'{"__metadata__":{"a":"1","a":"2"}}'), "'a' occurs twice"
    ),
    "metadata-twice": (
        lambda: content(b'{"__metadata__":{},"__metadata__":{}}'), "'__metadata__' occurs twice"
    ),
    "an-object-for-a-shape": (
        lambda: content(b'{"a":{"dtype":"U8","shape":{},"data_offsets":[0,8]}}', bytes(8)), "shape"
    ),
    "pairs-for-an-object": (
        lambda: content(b'{"a":[["dtype","U8"],["shape",[8]],["data_offsets",[0,8]]]}', bytes(8)), "exactly"
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def endings(tmp_path_factory: pytest.TempPathFactory, open_in_child: Callable[..., Endings]) -> Endings:
    folder = tmp_path_factory.mktemp("safetensors")
    for name, (make, _) in SHAPES.items():
        (folder / name).write_bytes(make())
    found = open_in_child([folder / name for name in SHAPES], 256 << 20)
    return {Path(path).name: ending for path, ending in found.items()}


@pytest.mark.parametrize("shape", SHAPES)
def test_ends_in_a_named_error(endings: Endings, shape: str) -> None:
    assert SHAPES[shape][1] in endings[shape]["ended"]
    assert endings[shape]["seconds"] < SECONDS


def test_a_header_of_more_than_100_mb_is_not_read(
    tmp_path: Path, open_in_child: Callable[..., Endings]
) -> None:
    with (tmp_path / "x").open("wb") as file:
        file.write(struct.pack("<Q", 100_000_001) + b"{")
        file.truncate(200_000_000)
    (ending,) = open_in_child([tmp_path / "x"], 260 << 20).values()
    assert "exceeds 100000000" in ending["ended"]
    assert ending["seconds"] < 1


@pytest.mark.parametrize("value", [b"[],", b'"ab",', b"{},"])
def test_a_header_of_nothing_but_values_does_not_become_gigabytes(
    tmp_path: Path, open_in_child: Callable[..., Endings], value: bytes
) -> None:
    (tmp_path / "x").write_bytes(content(b'{"a":[' + value * (80_000_000 // len(value)) + b"0]}"))
    (ending,) = open_in_child([tmp_path / "x"], 260 << 20).values()
    assert "more than 8388608 values" in ending["ended"]
    assert ending["seconds"] < 1


def test_what_sub_byte_dtypes_say(tmp_path: Path) -> None:
    tensors = {"a": entry("F4", [2, 3], [0, 3]), "b": entry("F6_E3M2", [4], [3, 6])}
    (tmp_path / "x").write_bytes(content(tensors, b"abcdef"))
    model = open_checkpoint(tmp_path / "x")
    assert [model.info(name).nbytes for name in model.names()] == [3, 3]
    assert model.raw("b").tobytes() == b"def"
    with pytest.raises(LoadError, match="F4, which is not decoded"):
        model.tensor("a")


NASTY: list[Any] = [
    None,
    True,
    -1,
    0,
    1,
    2**31,
    2**32,
    2**53 + 1,
    2**63,
    2**64,
    1.5,
    "",
    "F32",
    "F4",
    [],
    {},
    [0],
    [0, 8],
]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) of nested JSON."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(items):
        yield value, key
        yield from places(item)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_mutated_headers_open_or_end_in_our_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    position = 0
    for index, dtype in enumerate(
        data.draw(st.lists(st.sampled_from(["U8", "F32", "BF16", "F4"]), max_size=4))
    ):
        nbytes = {"U8": 4, "F32": 16, "BF16": 8, "F4": 2}[dtype]
        header[f"t{index}"] = entry(dtype, [2, 2], [position, position + nbytes])
        position += nbytes
    for _ in range(data.draw(st.integers(0, 2))):
        container, key = data.draw(st.sampled_from(list(places(header))))
        if data.draw(st.booleans()):
            container[key] = copy.deepcopy(data.draw(st.sampled_from(NASTY)))
        elif key in container or isinstance(container, list):
            container.pop(key)
        if not list(places(header)):
            break
    raw = bytearray(content(header, bytes(position)))
    raw[:8] = struct.pack(
        "<Q", (struct.unpack("<Q", raw[:8])[0] + data.draw(st.sampled_from([0, 0, 0, -1, 1]))) % 2**64
    )
    raw = raw[: len(raw) - data.draw(st.sampled_from([0, 0, 0, 1, 9]))]
    path = tmp_path_factory.getbasetemp() / "mutated-header.safetensors"
    path.write_bytes(raw)
    try:
        model = open_checkpoint(path)
    except LoadError as error:
        assert str(path) in str(error)  # noqa: PT017 - either ending is right, no other is
        return
    with safetensors.safe_open(path, "np") as theirs:  # what we accept the library accepts, and reads so
        assert set(theirs.keys()) == set(model.names())
        for name in model.names():
            info = model.info(name)
            assert model.raw(name).size == info.nbytes
            assert theirs.get_slice(name).get_dtype() == info.dtype
            assert tuple(theirs.get_slice(name).get_shape()) == info.shape
