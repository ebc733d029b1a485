"""APR v2: header, metadata, index and tensors, with checksums that a hostile writer makes right."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.fuzz.field_damage import Field, Part, damage_fields, packed, text
from benchmarks.fuzz.formats.models import ERRORS, read_model
from benchmarks.fuzz.json_damage import WORDS, damage_json, json_text
from benchmarks.fuzz.target import Target

__all__ = ["APR"]

Tensor = tuple[bytes, int, tuple[int, ...], int]
"""Name, type code, shape outermost first, bytes."""

_TENSORS: tuple[Tensor, ...] = (
    (b"a.f32", 0, (2, 3), 24), (b"b.f16", 1, (5,), 10), (b"c.bf16", 30, (2, 2), 8), (b"d.q4k", 12, (2, 256),
    288),
    (b"e.q6k", 14, (1, 256), 210), (b"f.padded", 12, (2, 300), 576), (b"g.apr4", 128, (3, 11), 36),
    (b"h.apr8", 129, (7,), 11),
    (b"i.f64", 3, (2,), 16), (b"j.i32", 4, (), 4), (b"k.i64", 5, (1,), 8), (b"l.u8", 7, (9,), 9), (b"m.q80",
    8, (32,), 34),
)  # fmt: skip

_METADATA: dict[str, Any] = {
    "architecture": "qwen2", "hidden_size": 64, "num_layers": 2, "num_heads": 4, "num_kv_heads": 2,
    "vocab_size": 4,
    "intermediate_size": 128, "max_position_embeddings": 64, "rope_theta": 1e6, "rms_norm_eps": 1e-6,
    "license": "MIT",
    "quantization": {"quant_type": "Q4_0"}, "tokenizer.model": "BPE", "tokenizer.vocabulary": ["a", "b",
    "ab", "<|end|>"],
    "tokenizer.merges": ["a b"], "tokenizer.scores": [0.0, 0, -1.5, 1], "tokenizer.eos_token_id": 3,
    "tokenizer.token_types": [1, 1, 1, 3],
    "chat_template": "{{ messages }}",
}  # fmt: skip


def seeds() -> list[bytes]:
    """Return the smallest file, one with metadata, and one of each type of tensor."""
    plain = [_file(b"{}", tensors) for tensors in ((), _TENSORS, *((each,) for each in _TENSORS))]
    return [*map(packed, plain), packed(_file(json.dumps(_METADATA).encode(), _TENSORS[:2]))]


def made(random: Random) -> bytes:
    """Build a file, damage its fields or its metadata, and seal it."""
    tensors = tuple(each for each in _TENSORS if random.random() < 0.2)
    if random.random() < 0.5:
        metadata = json_text(damage_json(_METADATA, random), random)
        return mended(packed(_file(metadata, tensors)), random)
    parts = _file(b'{"architecture":"qwen2"}', tensors)
    damage_fields(parts, random)
    return mended(packed(parts), random)


def mended(data: bytes, random: Random) -> bytes:
    """Make the header's checksum right, nearly always; and that of the whole file, at times."""
    if len(data) < 64 or random.random() < 0.05:
        return data
    head = data[:40] + struct.pack("<I", zlib.crc32(data[44:64], zlib.crc32(data[:40])))
    data = head + data[44:]
    if random.random() < 0.3:
        data = data[:-4] + struct.pack("<I", zlib.crc32(data[:-4]))
    return data


def _file(metadata: bytes, tensors: tuple[Tensor, ...]) -> list[Part]:
    index: list[Part] = []
    data = b""
    for name, code, shape, size in tensors:
        index += [
            *text(name, "H"),
            Field("B", code),
            Field("B", len(shape)),
            *(Field("Q", dim) for dim in shape),
        ]
        index += [Field("Q", len(data)), Field("Q", size)]
        data += (b"\x00\x3c\x11\x80" * (size // 4 + 1))[:size] + bytes(-size % 64)
    metadata_end = 64 + len(metadata) + -len(metadata) % 64
    index_size = len(packed(index))
    start = metadata_end + index_size + -index_size % 64
    numbers = (
        ("B", 2), ("B", 0), ("H", 0x420), ("I", len(tensors)), ("Q", 64), ("I", len(metadata)), ("Q",
        metadata_end), ("Q", start)
    )  # fmt: skip
    parts: list[Part] = [b"APR\0", *(Field(code, value) for code, value in numbers), Field("I", 0), bytes(20)]
    parts += [metadata.ljust(metadata_end - 64, b"\0"), *index, bytes(-index_size % 64), data]
    whole = mended(packed(parts) + bytes(4), Random(1))
    # The checksums of the honest file stand in the parts as well, so that they can be damaged.
    parts[9] = whole[40:44]
    return [*parts, struct.pack("<I", zlib.crc32(packed(parts)))]


def read(data: bytes, folder: Path) -> None:
    """Read it as a model."""
    path = folder / "m.apr"
    path.write_bytes(data)
    read_model(path)


APR = Target(
    seeds,
    made,
    read,
    ERRORS,
    mended,
    (*WORDS, b"APRN", b"APR2", b"\xff" * 8, b"tokenizer.vocabulary", b"Q4_K"),
)
