"""Valid GGUF files with a few fields changed: each opens and can be read, or ends in our error."""

from __future__ import annotations

import dataclasses
import struct
import time
from pathlib import Path
from typing import Any

import gguf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pv_runtime.errors import LoadError
from pv_runtime.formats import open_checkpoint
from pv_runtime.formats.ggml_types import GGML_TYPES, SCALARS

NASTY = [
    0,
    1,
    2,
    7,
    8,
    9,
    31,
    32,
    33,
    255,
    256,
    2**16,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**61,
    2**63 - 8,
    2**63,
    2**64 - 1,
]
"""Values at which counters, signs and products break."""


@dataclasses.dataclass
class Field:
    """A number in the file: its `struct` code and its value."""

    code: str
    value: float

    def pack(self) -> bytes:
        if self.code in "fd":
            return struct.pack("<" + self.code, self.value)
        nbytes = struct.calcsize(self.code)
        return (int(self.value) & ((1 << 8 * nbytes) - 1)).to_bytes(nbytes, "little")


Part = Field | bytes


def text(value: bytes) -> list[Part]:
    return [Field("Q", len(value)), value]


@st.composite
def keys(draw: st.DrawFn, index: int) -> list[Part]:
    """A key of any type, with a valid value of it."""
    name = b"key.%d" % index
    kind = draw(st.sampled_from([*SCALARS, 8, 9]))
    parts: list[Part] = [*text(name), Field("I", kind)]
    if kind == 8:
        return [*parts, *text(draw(st.text(max_size=9)).encode())]
    if kind != 9:
        return [*parts, Field(SCALARS[kind][1], draw(st.integers(0, 1)))]
    of, count = draw(st.sampled_from([*SCALARS, 8])), draw(st.integers(0, 4))
    parts += [Field("I", of), Field("Q", count)]
    for _ in range(count):
        parts += text(draw(st.text(max_size=5)).encode()) if of == 8 else [Field(SCALARS[of][1], 1)]
    return parts


@st.composite
def files(draw: st.DrawFn) -> list[Part]:
    """A valid file, as its fields."""
    listed = [draw(keys(index)) for index in range(draw(st.integers(0, 4)))]
    parts: list[Part] = []
    offset = count = 0
    for index in range(draw(st.integers(0, 3))):
        number = draw(st.sampled_from(sorted(GGML_TYPES)))
        _, block, size = GGML_TYPES[number]
        rows = draw(st.integers(1, 3))
        parts += [*text(b"tensor.%d" % index), Field("I", 2), Field("Q", block), Field("Q", rows)]
        parts += [Field("I", number), Field("Q", offset)]
        offset += rows * size + -(rows * size) % 32
        count += 1
    head: list[Part] = [
        b"GGUF",
        Field("I", draw(st.sampled_from([2, 3]))),
        Field("Q", count),
        Field("Q", len(listed)),
    ]
    whole = [*head, *(part for each in listed for part in each), *parts]
    return [*whole, bytes(-len(packed(whole)) % 32), bytes(offset)]


def packed(parts: list[Part]) -> bytes:
    return b"".join(part if isinstance(part, bytes) else part.pack() for part in parts)


def read_all(path: Path) -> None:
    model = open_checkpoint(path)
    for value in model.metadata.values():
        assert isinstance(value, str | int | float) or tuple(value) is not None  # type: ignore[arg-type]
    for name in model.names():
        info = model.info(name)
        assert model.raw(name).size == info.nbytes
        if info.dtype not in {"Q8_K", "Q1_0"}:
            assert model.tensor(name).shape == info.shape


@settings(max_examples=100, deadline=None)
@given(parts=files())
def test_the_valid_files_open(tmp_path_factory: pytest.TempPathFactory, parts: list[Part]) -> None:
    path = tmp_path_factory.getbasetemp() / "valid.gguf"
    path.write_bytes(packed(parts))
    read_all(path)
    theirs = gguf.GGUFReader(path)
    ours = open_checkpoint(path)
    assert [tensor.name for tensor in theirs.tensors] == list(ours.names())
    for tensor in theirs.tensors:
        info = ours.info(tensor.name)
        assert (tensor.tensor_type.name, tuple(tensor.shape)[::-1]) == (info.dtype, info.shape)
        assert tensor.data.tobytes() == ours.raw(tensor.name).tobytes()


def mutated(parts: list[Part], data: st.DataObject) -> bytes:
    """Change fields, then bytes, then the ends."""
    fields = [part for part in parts if isinstance(part, Field)]
    for _ in range(data.draw(st.integers(0, 3))):
        field = data.draw(st.sampled_from(fields))
        field.value = data.draw(st.sampled_from(NASTY) | st.integers(0, 2**64 - 1))
        field.code = field.code if field.code not in "fd" else "I" if field.code == "f" else "Q"
    raw = bytearray(packed(parts))
    for _ in range(data.draw(st.integers(0, 2))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    match data.draw(st.sampled_from(["whole", "cut", "longer", "spliced"])):
        case "cut":
            del raw[data.draw(st.integers(0, len(raw) - 1)) :]
        case "longer":
            raw += bytes(data.draw(st.integers(1, 40)))
        case "spliced":
            begin, end = sorted(data.draw(st.lists(st.integers(0, len(raw)), min_size=2, max_size=2)))
            place = data.draw(st.integers(0, len(raw)))
            raw[place:place] = raw[begin:end]
    return bytes(raw)


@settings(max_examples=400, deadline=None)
@given(parts=files(), data=st.data())
def test_mutated_files_open_or_end_in_our_error(
    tmp_path_factory: pytest.TempPathFactory, parts: list[Part], data: Any
) -> None:
    path = tmp_path_factory.getbasetemp() / "mutated-fields.gguf"
    path.write_bytes(mutated(parts, data))
    started = time.process_time()
    try:
        read_all(path)
    except LoadError as error:
        assert str(path) in str(error)  # noqa: PT017 - either ending is right, no other is
    assert time.process_time() - started < 3
