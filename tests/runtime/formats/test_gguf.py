from __future__ import annotations

import os
import struct
import time
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pv_runtime.errors import LoadError
from pv_runtime.formats import open_checkpoint
from pv_runtime.formats.ggml_types import GGML_TYPES, REFUSED_TYPES
from pv_runtime.formats.gguf_header import LazyArray
from pv_runtime.quant import SCHEMES


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def key(name: bytes, kind: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


def tensor(name: bytes = b"w", dims: tuple[int, ...] = (8,), kind: int = 0, offset: int = 0) -> bytes:
    return text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, offset)


def file(
    keys: tuple[bytes, ...] = (),
    tensors: tuple[bytes, ...] = (),
    data: int = 0,
    *,
    version: int = 3,
    key_count: int | None = None,
    tensor_count: int | None = None,
) -> bytes:
    counts = (
        len(tensors) if tensor_count is None else tensor_count,
        len(keys) if key_count is None else key_count,
    )
    head = struct.pack("<4sIQQ", b"GGUF", version, *counts) + b"".join(keys) + b"".join(tensors)
    return head + bytes(-len(head) % 32) + bytes(data)


ARRAY, STRING, U32 = 9, 8, 4


def array(kind: int, count: int, payload: bytes = b"") -> bytes:
    return struct.pack("<IQ", kind, count) + payload


def alignment(value: int, kind: int = U32, code: str = "I") -> bytes:
    return key(b"general.alignment", kind, struct.pack("<" + code, value))


HOSTILE: dict[str, tuple[bytes, str]] = {
    "magic alone": (b"GGUF", "the version"),
    "header cut": (file()[:20], "needs"),
    "version 1": (file(version=1), "version 1"),
    "version 4": (file(version=4), "version 4"),
    "big-endian": (file(version=0x03000000), "big-endian"),
    "2^64-1 keys": (file(key_count=2**64 - 1), "cannot fit"),
    "2^64-1 tensors": (file(tensor_count=2**64 - 1), "cannot fit"),
    "key longer than the rest": (file((struct.pack("<QI", 2**40, 0) + bytes(9),)), "needs"),
    "string longer than the rest": (file((key(b"a", STRING, struct.pack("<Q", 2**63)),)), "needs"),
    "string of 2^64-1": (file((key(b"a", STRING, struct.pack("<Q", 2**64 - 1)),)), "needs"),
    "a key of no characters": (file((key(b"", U32, bytes(4)),)), "key has 0"),
    "a key of 65536 characters": (file((key(b"k" * 65536, U32, bytes(4)),)), "key has 65536"),
    "65537 keys": (file((key(b"k", U32, bytes(4)),) * 65537), "more than 65536"),
    "bad utf-8 key": (file((key(b"\xff", U32, bytes(4)),)), "UTF-8"),
    "bad utf-8 value": (file((key(b"a", STRING, text(b"\xc0\x80")),)), "UTF-8"),
    "value type 13": (file((key(b"a", 13, bytes(8)),)), "value type 13"),
    "value type -1": (file((key(b"a", 2**32 - 1, bytes(8)),)), "value type"),
    "bool of 2": (file((key(b"a", 7, b"\x02"),)), "bool of value 2"),
    "array of 2^61 numbers": (file((key(b"a", ARRAY, array(12, 2**61)),)), "needs"),
    "array of 2^61 strings": (file((key(b"a", ARRAY, array(STRING, 2**61)),)), "strings"),
    "strings that leave the file": (
        file((key(b"a", ARRAY, array(STRING, 2, struct.pack("<QQ", 2**62, 1))),)),
        "leaves the file",
    ),
    "last string leaves the file": (
        file((key(b"a", ARRAY, array(STRING, 1, struct.pack("<Q", 2**63))),)),
        "leaves the file",
    ),
    "array of arrays": (file((key(b"a", ARRAY, array(ARRAY, 2, bytes(40))),)), "nested"),
    "array of unknown": (file((key(b"a", ARRAY, array(77, 0)),)), "nested and unknown"),
    "duplicate key": (file((key(b"a", U32, bytes(4)), key(b"a", U32, bytes(4)))), "occurs twice"),
    "alignment 0": (file((alignment(0),)), "power of two"),
    "alignment 13": (file((alignment(13),)), "power of two"),
    "alignment 4": (file((alignment(4),)), "power of two"),
    "alignment 2^31": (file((alignment(2**31),)), "power of two"),
    "alignment as u64": (file((alignment(32, 10, "Q"),)), "UINT32"),
    "five dimensions": (file((), (tensor(dims=(1, 1, 1, 1, 8)),), 32), "5 dimensions"),
    "2^32-1 dimensions": (
        file((), (text(b"w") + struct.pack("<I", 2**32 - 1) + bytes(24),), 32),
        "dimensions",
    ),
    "dimension 0": (file((), (tensor(dims=(8, 0)),), 32), "dimensions"),
    "dimension 2^63": (file((), (tensor(dims=(2**63,)),), 32), "dimensions"),
    "wrapping product": (file((), (tensor(dims=(2**32, 2**32)),), 32), "cut short"),
    "type 4": (file((), (tensor(kind=4),), 32), "type 4"),
    "removed type": (file((), (tensor(dims=(32,), kind=31),), 32), "Q4_0_4_4, which ggml has removed"),
    "ambiguous type": (file((), (tensor(dims=(32,), kind=9),), 32), "Q8_1, a format of activations"),
    "type 2^32-1": (file((), (tensor(kind=2**32 - 1),), 32), "type"),
    "row of part of a block": (file((), (tensor(dims=(128, 2), kind=12),), 160), "multiple of Q4_K"),
    "no row for a block": (file((), (tensor(dims=(), kind=12),), 160), "multiple of Q4_K"),
    "duplicate tensor": (file((), (tensor(), tensor(offset=32)), 64), "occurs twice"),
    "two names for one tensor": (
        file((), (tensor(b"output.weight"), tensor(b"lm_head.weight", offset=32)), 64),
        "occurs twice",
    ),
    "nameless tensor": (file((), (tensor(b""),), 32), "name"),
    "offset unaligned": (file((), (tensor(offset=4),), 64), "offset 4"),
    "offset outside": (file((), (tensor(offset=2**62),), 64), "offset"),
    "offsets overlap": (file((), (tensor(b"a", (16,)), tensor(b"b", offset=32)), 96), "offset 32"),
    "offsets decrease": (file((), (tensor(b"a", offset=32), tensor(b"b")), 64), "offset 32"),
    "hole": (file((), (tensor(b"a"), tensor(b"b", offset=64)), 96), "offset 64"),
    "data cut short": (file((), (tensor(),), 31), "cut short"),
    "no data": (file((), (tensor(),), 0), "cut short"),
    "something appended": (file((), (tensor(),), 64), "follow the last tensor"),
}


@pytest.mark.parametrize("shape", HOSTILE)
def test_hostile_files_end_in_a_named_error(tmp_path: Path, shape: str) -> None:
    data, message = HOSTILE[shape]
    (tmp_path / "x.gguf").write_bytes(data)
    started = time.monotonic()
    with pytest.raises(LoadError, match=message):
        open_checkpoint(tmp_path / "x.gguf")
    assert time.monotonic() - started < 5


def test_the_valid_file_that_the_hostile_ones_vary_loads(tmp_path: Path) -> None:
    for version in (2, 3):
        (tmp_path / "x").write_bytes(file((), (tensor(),), 32, version=version))
        assert open_checkpoint(tmp_path / "x").tensor("w").tolist() == [0] * 8
    (tmp_path / "x").write_bytes(file((alignment(64),), (tensor(),)).ljust(160, b"\0"))
    assert open_checkpoint(tmp_path / "x").tensor("w").tolist() == [0] * 8


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_mutated_files_load_or_end_in_our_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "mutated.gguf"
    keys = (key(b"s", STRING, text(b"qwen2")), key(b"t", ARRAY, array(STRING, 2, text(b"a") + text(b"bc"))))
    raw = bytearray(file((*keys, alignment(32)), (tensor(), tensor(b"v", (256,), 12, 32)), 192))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(raw[: data.draw(st.sampled_from([len(raw), len(raw) - 1, 100]))]))
    try:
        model = open_checkpoint(path)
        for name in model.names():
            assert model.tensor(name).shape == model.info(name).shape
        for value in model.metadata.values():
            assert isinstance(value, (str, int, float)) or list(value) is not None  # type: ignore[call-overload]
    except LoadError as error:
        assert str(path) in str(error)  # noqa: PT017 - either ending is right, no other is


def test_block_sizes_are_those_of_the_gguf_package() -> None:
    theirs = {kind.value: (kind.name, *gguf.GGML_QUANT_SIZES[kind]) for kind in gguf.GGMLQuantizationType}
    assert {number: theirs[number] for number in GGML_TYPES} == GGML_TYPES
    assert set(theirs) <= set(GGML_TYPES) | set(REFUSED_TYPES)


def test_what_the_package_writes_we_read(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    generator = np.random.default_rng(7)
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_block_count(2)
    writer.add_rope_freq_base(1e6)
    writer.add_add_bos_token(False)
    writer.add_token_list(["a", "ä", "<|im_start|>"])
    writer.add_array("numbers", [3, 1, 2])
    plain = generator.standard_normal((4, 6)).astype(np.float16)
    writer.add_tensor("blk.1.attn_q.weight", plain)
    blocks: dict[str, Any] = {}
    for name, scheme in SCHEMES.items():
        codes = generator.integers(0, 255, (3, 2 * scheme.block_bytes), dtype=np.uint8)
        codes[:, scheme.scale[1]] &= 0x1F  # finite scales
        codes[:, scheme.scale[1] + scheme.block_bytes] &= 0x1F
        if name in {"Q4_K", "Q5_K"}:
            codes[:, [3, 3 + scheme.block_bytes]] &= 0x1F
        blocks[name] = codes
        kind = gguf.GGMLQuantizationType[name]
        writer.add_tensor(f"t.{name}", codes, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    model = open_checkpoint(path)
    assert model.format == "gguf"
    assert model.metadata["general.architecture"] == "qwen2"
    assert model.metadata["qwen2.block_count"] == 2
    assert model.metadata["qwen2.rope.freq_base"] == 1e6
    assert model.metadata["tokenizer.ggml.add_bos_token"] is False
    tokens: Any = model.metadata["tokenizer.ggml.tokens"]
    assert list(tokens) == ["a", "ä", "<|im_start|>"]
    assert (len(tokens), tokens[1]) == (3, "ä")
    numbers: Any = model.metadata["numbers"]
    assert list(numbers) == [3, 1, 2]
    query = "model.layers.1.self_attn.q_proj.weight"
    assert model.info(query).shape == (4, 6)
    assert np.array_equal(model.tensor(query), plain.astype(np.float32))
    for name, codes in blocks.items():
        theirs = gguf.quants.dequantize(codes, gguf.GGMLQuantizationType[name])
        assert model.info(f"t.{name}").shape == theirs.shape
        assert model.tensor(f"t.{name}").tobytes() == theirs.tobytes()


def test_types_that_are_not_decoded_open_and_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(file((), (tensor(dims=(256,), kind=15),), 320))
    model = open_checkpoint(tmp_path / "x")
    assert model.info("w").dtype == "Q8_K"
    assert model.raw("w").size == 292
    with pytest.raises(LoadError, match="Q8_K, which is not decoded"):
        model.tensor("w")


def test_an_array_read_after_the_file_shrank_is_an_error_and_no_signal(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(file((key(b"t", ARRAY, array(0, 1 << 16, bytes(1 << 16))),)))
    values: Any = open_checkpoint(path).metadata["t"]
    os.truncate(path, 100)
    with pytest.raises(LoadError, match="truncated"):
        list(values)


def test_arrays_are_decoded_as_far_as_asked(tmp_path: Path) -> None:
    """The last token is not UTF-8, which only those see who come to it."""
    tokens = text(b"a") + text(b"b") + text(b"\xff")
    (tmp_path / "x").write_bytes(file((key(b"t", ARRAY, array(STRING, 3, tokens)),)))
    values = open_checkpoint(tmp_path / "x").metadata["t"]
    assert isinstance(values, LazyArray)
    assert (len(values), values.kind, values.first(2)) == (3, "STRING", ("a", "b"))
    with pytest.raises(LoadError, match="an element of t is not UTF-8"):
        list(values)


def test_a_large_vocabulary_opens_quickly(tmp_path: Path) -> None:
    """The gguf package takes seconds for this; a header that we only step over must not."""
    tokens = b"".join(text(b"token%d" % index) for index in range(150_000))
    (tmp_path / "x").write_bytes(file((key(b"t", ARRAY, array(STRING, 150_000, tokens)),)))
    started = time.process_time()
    vocabulary: Any = open_checkpoint(tmp_path / "x").metadata["t"]
    assert time.process_time() - started < 1
    assert len(vocabulary) == 150_000
    assert vocabulary[149_999] == "token149999"
