from __future__ import annotations

import dataclasses
import json
import os
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pv_runtime.errors import LoadError
from pv_runtime.formats import open_checkpoint
from pv_runtime.formats.apr import AprCheckpoint, footer_matches
from pv_runtime.formats.apr_header import FLAGS, Header, packed
from pv_runtime.quant import SCHEMES


@dataclasses.dataclass(frozen=True)
class Entry:
    name: bytes = b"w"
    code: int = 0
    shape: tuple[int, ...] = (16,)
    offset: int = 0
    size: int = 64

    def bytes(self) -> bytes:
        fields = (self.code, len(self.shape), *self.shape, self.offset, self.size)
        name = struct.pack("<H", len(self.name)) + self.name
        return name + struct.pack(f"<BB{len(self.shape)}QQQ", *fields)


def aligned(raw: bytes) -> bytes:
    return raw + bytes(-len(raw) % 64)


def file(
    entries: tuple[Entry, ...] = (Entry(),),
    data: bytes = bytes(64),
    metadata: bytes = b'{"architecture":"qwen2"}',
    *,
    index: bytes | None = None,
    footer: bool = True,
    seal: bool = True,
    **header: Any,
) -> bytes:
    """Build a file field by field; what is given by name replaces a field of the header."""
    listed = aligned(b"".join(entry.bytes() for entry in entries) if index is None else index)
    text = aligned(metadata)
    honest = Header(
        b"APR\0",
        FLAGS["ROW_MAJOR"],
        len(entries),
        64,
        len(metadata),
        64 + len(text),
        64 + len(text) + len(listed),
    )
    raw = packed(dataclasses.replace(honest, **header)) if seal else bytes(64)
    body = raw + text + listed + data
    return body + (struct.pack("<I", zlib.crc32(body)) if footer else b"")


def patched(raw: bytes, start: int, value: bytes, *, reseal: bool = True) -> bytes:
    """Replace bytes of the header and, unless told otherwise, make its CRC right again."""
    head = bytearray(raw[:64])
    head[start : start + len(value)] = value
    if reseal:
        head[40:44] = struct.pack("<I", zlib.crc32(head[44:], zlib.crc32(head[:40])))
    return bytes(head) + raw[64:]


TWO = (Entry(b"a"), Entry(b"b", offset=64))

HOSTILE: dict[str, tuple[bytes, str]] = {
    "magic alone": (b"APR\0", "4 bytes cannot hold"),
    "header cut": (file()[:63], "63 bytes cannot hold"),
    "APR1": (patched(file(), 0, b"APR1"), "before APR v2"),
    "APR2": (patched(file(), 0, b"APR2"), "before APR v2"),
    "APRN of version 1": (patched(file(), 0, b"APRN\x01"), "before APR v2"),
    "APRN with a wrong checksum": (patched(file(), 0, b"APRN", reseal=False), "before APR v2"),
    "version 1": (patched(file(), 4, b"\x01"), r"version 1\.0"),
    "version 2.1": (patched(file(), 5, b"\x01"), r"version 2\.1"),
    "version 3": (patched(file(), 4, b"\x03"), r"version 3\.0"),
    "flipped bit under the checksum": (patched(file(), 8, b"\x02", reseal=False), "CRC-32"),
    "flipped checksum": (patched(file(), 40, b"\0\0\0\0", reseal=False), "CRC-32"),
    "flipped reserved byte": (patched(file(), 63, b"\x01", reseal=False), "CRC-32"),
    "LZ4": (file(flags=FLAGS["LZ4"]), "LZ4"),
    "Zstandard": (file(flags=FLAGS["ZSTD"]), "Zstandard"),
    "encrypted": (file(flags=FLAGS["ENCRYPTED"]), "encrypted"),
    "sharded": (file(flags=FLAGS["SHARDED"]), "shard"),
    "column-major": (file(flags=FLAGS["COLUMN_MAJOR"]), "column-major"),
    "a flag of tomorrow": (file(flags=0x8000), "0x8000"),
    "2^32-1 tensors": (file(tensor_count=2**32 - 1), "are refused"),
    "2^16 tensors": (file(tensor_count=2**16), "cannot fit"),
    "one tensor more than entries": (file(tensor_count=2, index=Entry().bytes()), "ends within|allowed are"),
    "one tensor less than entries": (
        file(tuple(Entry(b"%02d" % i, offset=64 * i) for i in range(3)), bytes(192), tensor_count=1),
        "follow the last tensor",
    ),
    "metadata at 2^64-1": (file(metadata_offset=2**64 - 1), "metadata is at byte"),
    "metadata over the header": (file(metadata_offset=0), "metadata is at byte 0"),
    "metadata of 4 GiB": (file(metadata_size=2**32 - 1), "metadata ends at byte"),
    "metadata to past the file": (patched(file(), 20, struct.pack("<I", len(file()) - 63)), "ends at byte"),
    "index before the metadata's end": (file(index_offset=64), "tensor index is at byte 64"),
    "index at 2^63": (file(index_offset=2**63), "tensor index is at byte"),
    "index far behind": (file(index_offset=64 + 64 + 64 + 24), "tensor index is at byte"),
    "data at 2^64-64": (file(data_offset=2**64 - 64), "the data begins at byte"),
    "data before the index": (file(data_offset=64), "the data begins at byte 64"),
    "data unaligned": (file(data_offset=193), "no multiple of 64"),
    "metadata empty": (file(metadata=b""), "no JSON"),
    "metadata no UTF-8": (file(metadata=b'{"a":"\xff"}'), "no JSON"),
    "metadata no JSON": (file(metadata=b"{"), "no JSON"),
    "metadata a list": (file(metadata=b"[]"), "no JSON object"),
    "metadata NaN": (file(metadata=b'{"a":NaN}'), "NaN"),
    "metadata nested deeply": (file(metadata=b'{"a":' + b"[" * 200_000), "nested too deeply|no JSON"),
    "metadata with an endless integer": (file(metadata=b'{"a":' + b"9" * 10_000 + b"}"), "no JSON"),
    "metadata with half a pair": (file(metadata=rb'{"a":"\ud800"}'), "surrogate"),
    "nameless tensor": (file((Entry(b""),)), "name of 0 bytes"),
    "name of 257 bytes": (file((Entry(b"x" * 257),)), "name of 257 bytes"),
    "name past the index": (
        file(index=struct.pack("<H", 65535) + Entry().bytes()[2:]), "ends within its tensor 0"
    ),
    "name no UTF-8": (file((Entry(b"\xff"),)), "UTF-8"),
    "nine dimensions": (file((Entry(shape=(1,) * 8 + (16,)),)), "9 dimensions"),
    "255 dimensions": (file(index=Entry().bytes()[:4] + b"\xff" + bytes(80)), "255 dimensions"),
    "dimension 0": (file((Entry(shape=(0, 16)),)), "shape"),
    "dimension 2^63": (file((Entry(shape=(2**63,)),)), "shape"),
    "wrapping product": (file((Entry(shape=(2**32, 2**32), size=0),)), "do not explain"),
    "size 2^64-1": (file((Entry(size=2**64 - 1),)), "do not explain"),
    "size one less": (file((Entry(size=63),)), "do not explain"),
    "offset 2^64-1": (file((Entry(offset=2**64 - 1),)), "lies at offset"),
    "offset unaligned": (file((Entry(offset=4),), bytes(128)), "lies at offset 4"),
    "offset leaves a hole": (file((Entry(offset=64),), bytes(128)), "lies at offset 64"),
    "tensors overlap": (file((Entry(b"a"), Entry(b"b")), bytes(64)), "lies at offset 0"),
    "tensors out of order": (file((Entry(b"b"), Entry(b"a", offset=64)), bytes(128)), "out of order"),
    "duplicate name": (file((Entry(b"a"), Entry(b"a", offset=64)), bytes(128)), "occurs twice"),
    "two names of one tensor": (
        file((Entry(b"lm_head.weight"), Entry(b"output.weight", offset=64)), bytes(128)), "occurs twice"
    ),
    "type code 15": (file((Entry(code=15),)), "type code 15"),
    "type code 255": (file((Entry(code=255),)), "type code 255"),
    "Q4_K that is flat": (file((Entry(code=12, shape=(4, 64), size=144),), bytes(192)), "do not explain"),
    "Q8_1, for activations": (file((Entry(code=9, shape=(64,), size=72),), bytes(128)), "do not explain"),
    "code 8 that may be Q4_K": (
        file(
            (Entry(code=8, shape=(256,), size=144),), bytes(192), b'{"quantization":{"quant_type":"Q4_K_M"}}'
        ),
        "alike",
    ),
    "data cut short": (file(data=bytes(63), footer=False), "cut short"),
    "no data": (file(data=b"", footer=False), "cut short"),
    "second tensor missing": (file(TWO, bytes(64)), "cut short"),
    "something appended": (file() + b"\0", "follow the last tensor"),
    "half a footer": (file()[:-2], "follow the last tensor"),
}  # fmt: skip


@pytest.mark.parametrize("shape", HOSTILE)
def test_hostile_files_end_in_a_named_error(tmp_path: Path, shape: str) -> None:
    data, message = HOSTILE[shape]
    (tmp_path / "x.apr").write_bytes(data)
    started = time.monotonic()
    with pytest.raises(LoadError, match=message):
        open_checkpoint(tmp_path / "x.apr")
    assert time.monotonic() - started < 5


def test_the_valid_file_that_the_hostile_ones_vary_loads(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(file())
    model = open_checkpoint(tmp_path / "x")
    assert isinstance(model, AprCheckpoint)
    assert (model.format, model.notes, footer_matches(model)) == ("apr", (), True)
    assert model.tensor("w").tolist() == [0] * 16
    assert model.metadata == {"architecture": "qwen2"}


def test_a_kibibyte_of_a_large_file_is_refused(tmp_path: Path) -> None:
    """Its header is whole and its checksum right, and it was once called valid."""
    many = tuple(Entry(b"%04d" % number, offset=64 * number) for number in range(500))
    whole = file(many, bytes(64 * 500))
    for size in (1024, 64, 100, len(whole) - 64):
        (tmp_path / "x").write_bytes(whole[:size])
        with pytest.raises(LoadError, match=r"the file has|bytes follow|cut short"):
            open_checkpoint(tmp_path / "x")


def test_tensors_may_lie_in_any_order(tmp_path: Path) -> None:
    data = np.arange(32, dtype="<f4").tobytes()
    (tmp_path / "x").write_bytes(file((Entry(b"a", offset=64), Entry(b"b")), data))
    model = open_checkpoint(tmp_path / "x")
    assert model.names() == ("b", "a")
    assert model.tensor("a").tolist() == list(range(16, 32))


def test_what_a_reader_is_told_of_a_file_that_can_be_read(tmp_path: Path) -> None:
    cases: list[tuple[bytes, str]] = [
        (file(footer=False), "no checksum over the whole file"),
        (file(metadata=b'{"a":1,"b":2,"a":3}'), "key a occurs more than once"),
        (file(magic=b"APRN"), "APRN"),
        (file(flags=FLAGS["SIGNED"]), "signatures are not verified"),
    ]
    for raw, note in cases:
        (tmp_path / "x").write_bytes(raw)
        model = open_checkpoint(tmp_path / "x")
        assert isinstance(model, AprCheckpoint)
        assert len(model.notes) == 1
        assert note in model.notes[0]
    (tmp_path / "x").write_bytes(file(metadata=b'{"a":1,"b":2,"a":3}'))
    assert open_checkpoint(tmp_path / "x").metadata["a"] == 3


def test_the_footer_is_compared_with_every_byte(tmp_path: Path) -> None:
    raw = bytearray(file(data=bytes(64)))
    raw[-10] ^= 1
    (tmp_path / "x").write_bytes(raw)
    model = open_checkpoint(tmp_path / "x")
    assert isinstance(model, AprCheckpoint)
    assert footer_matches(model) is False
    (tmp_path / "x").write_bytes(file(footer=False))
    bare = open_checkpoint(tmp_path / "x")
    assert isinstance(bare, AprCheckpoint)
    assert footer_matches(bare) is None


def test_names_of_gguf_are_read_as_hugging_faces(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(file((Entry(b"blk.3.attn_q.weight"),)))
    assert open_checkpoint(tmp_path / "x").names() == ("model.layers.3.self_attn.q_proj.weight",)


@pytest.mark.parametrize(("code", "name"), [(12, "Q4_K"), (14, "Q6_K")])
def test_rows_that_were_filled_up_are_told_by_size(tmp_path: Path, code: int, name: str) -> None:
    scheme = SCHEMES[name]
    values = np.random.default_rng(3).standard_normal((3, 384)).astype(np.float32)
    filled = np.zeros((3, 512), np.float32)
    filled[:, :384] = values
    raw = scheme.quantise(filled.reshape(-1))
    (tmp_path / "x").write_bytes(
        file((Entry(code=code, shape=(3, 384), size=raw.size),), aligned(raw.tobytes()))
    )
    model = open_checkpoint(tmp_path / "x")
    assert isinstance(model, AprCheckpoint)
    assert model.info("w").dtype == f"{name}_PADDED"
    assert "filled up" in model.notes[0]
    expected = scheme.dequantise(raw).reshape(3, 512)[:, :384]
    assert model.tensor("w").tobytes() == expected.tobytes()


def test_an_index_read_after_the_file_shrank_is_an_error_and_no_signal(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(file((Entry(shape=(1 << 16,), size=1 << 18),), bytes(1 << 18)))
    model = open_checkpoint(tmp_path / "x")
    os.truncate(tmp_path / "x", 100)
    with pytest.raises(LoadError, match="truncated"):
        model.tensor("w")


VALID: list[Callable[[], bytes]] = [
    lambda: file((Entry(b"a"), Entry(b"b", 12, (1, 256), 64, 144)), bytes(64 + 192)),
    lambda: file((Entry(b"a", 8, (2, 32), 0, 68), Entry(b"b", 128, (33,), 128, 36)), bytes(192)),
    lambda: file((Entry(b"a", 14, (2, 128), 0, 420), Entry(b"b", 129, (3,), 448, 7)), bytes(512)),
]


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_mutated_files_load_or_end_in_our_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Bytes of header, metadata and index are changed, the header's checksum made right again."""
    raw = bytearray(data.draw(st.sampled_from(VALID))())
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, 319))] = data.draw(st.sampled_from([0, 1, 2, 63, 64, 127, 128, 255]))
    sealed = patched(bytes(raw), 0, b"") if data.draw(st.booleans()) else bytes(raw)
    path = tmp_path_factory.getbasetemp() / "mutated.apr"
    path.write_bytes(sealed[: data.draw(st.sampled_from([len(raw), len(raw) - 4, len(raw) - 1, 200]))])
    try:
        model = open_checkpoint(path)
        for name in model.names():
            assert model.tensor(name).shape == model.info(name).shape
        json.dumps(dict(model.metadata))
    except LoadError as error:
        assert str(path) in str(error)  # noqa: PT017 - either ending is right, no other is


def test_a_large_vocabulary_opens_quickly(tmp_path: Path) -> None:
    words = json.dumps({"tokenizer.vocabulary": [f"token{index}" for index in range(152_000)]}).encode()
    (tmp_path / "x").write_bytes(file(metadata=words))
    started = time.process_time()
    vocabulary: Any = open_checkpoint(tmp_path / "x").metadata["tokenizer.vocabulary"]
    assert time.process_time() - started < 1
    assert vocabulary[151_999] == "token151999"
