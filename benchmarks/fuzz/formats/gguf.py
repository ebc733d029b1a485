"""GGUF: headers of a few keys and tensors of every type, with their numbers as fields."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from random import Random

from pv_runtime.formats.ggml_types import GGML_TYPES, SCALARS

from benchmarks.fuzz.field_damage import Field, Part, damage_fields, packed, text
from benchmarks.fuzz.formats.models import ERRORS, read_model
from benchmarks.fuzz.target import Target

__all__ = ["GGUF", "whole"]

_STRING, _ARRAY, _U8, _U32, _I32, _F32, _BOOL = 8, 9, 0, 4, 5, 6, 7

_QWEN2 = {
    "block_count": 2, "context_length": 64, "embedding_length": 64, "feed_forward_length": 128,
    "attention.head_count": 4, "attention.head_count_kv": 2,
}  # fmt: skip


_EMBEDDING: list[tuple[bytes, tuple[int, ...], int]] = [(b"token_embd.weight", (64, 4), 8)]
"""Without which a file does not say how large its vocabulary is, and has no config."""


def seeds() -> list[bytes]:
    """Return the smallest file, one of each kind of value, and one of each type of tensor."""
    random = Random(0)
    return [
        packed(whole([], [])),
        packed(whole(_stated(), _EMBEDDING)),
        packed(whole([_scalar(b"k.%d" % kind, kind, random) for kind in SCALARS], [])),
        packed(whole(_vocabulary(), [_tensor(b"token_embd.weight", (64, 4), 0)])),
        *(packed(whole([], [_tensor(b"w", (GGML_TYPES[kind][1], 2), kind)])) for kind in GGML_TYPES),
    ]


def made(random: Random) -> bytes:
    """Build a file and damage its fields."""
    keys = [
        _scalar(b"k.%d" % number, random.choice(list(SCALARS)), random)
        for number in range(random.randrange(3))
    ]
    keys += random.choice(([], _stated(), _vocabulary()))
    if random.random() < 0.3:
        keys.append([*text(b"general.alignment"), Field("I", _U32), Field("I", random.choice((8, 32, 64)))])
    kinds = [random.choice(list(GGML_TYPES)) for _ in range(random.randrange(4))]
    tensors = [
        _tensor(
            b"blk.%d.attn_q.weight" % number,
            (GGML_TYPES[kind][1] * random.randint(1, 2), *_outer(random)),
            kind,
        )
        for number, kind in enumerate(kinds)
    ]
    parts = whole(keys, tensors + _EMBEDDING * random.getrandbits(1))
    damage_fields(parts, random)
    return packed(parts)


def whole(keys: Sequence[list[Part]], tensors: Sequence[tuple[bytes, tuple[int, ...], int]]) -> list[Part]:
    """Return the parts of a file of `keys` and of tensors (name, dimensions innermost first, type number)."""
    alignment = next((each[-1].value for each in keys if each[1] == b"general.alignment"), 32)  # type: ignore[union-attr]
    parts: list[Part] = [b"GGUF", Field("I", 3), Field("Q", len(tensors)), Field("Q", len(keys))]
    for each in keys:
        parts += each
    offset = 0
    data: list[bytes] = []
    for name, dims, kind in tensors:
        _, block, size = GGML_TYPES[kind]
        nbytes = size
        for dim in dims:
            nbytes *= dim
        nbytes //= block
        parts += [
            *text(name),
            Field("I", len(dims)),
            *(Field("Q", dim) for dim in dims),
            Field("I", kind),
            Field("Q", offset),
        ]
        padding = -nbytes % alignment
        data += [(b"\x00\x3c\x11\x80" * (nbytes // 4 + 1))[:nbytes], bytes(padding)]
        offset += nbytes + padding
    return [*parts, bytes(-len(packed(parts)) % alignment), b"".join(data)]


def _tensor(name: bytes, dims: tuple[int, ...], kind: int) -> tuple[bytes, tuple[int, ...], int]:
    return name, dims, kind


def _outer(random: Random) -> tuple[int, ...]:
    return tuple(random.randint(1, 3) for _ in range(random.randrange(4)))


def _scalar(name: bytes, kind: int, random: Random) -> list[Part]:
    code = SCALARS[kind][1]
    if code in "fd":
        return [
            *text(name),
            Field("I", kind),
            struct.pack("<" + code, random.choice((0.0, 1e-5, float("nan"), 1e300 if code == "d" else 3e38))),
        ]
    return [*text(name), Field("I", kind), Field(code, random.getrandbits(1))]


def _texts(name: bytes, values: Sequence[bytes]) -> list[Part]:
    found: list[Part] = [*text(name), Field("I", _ARRAY), Field("I", _STRING), Field("Q", len(values))]
    for value in values:
        found += text(value)
    return found


def _numbers(name: bytes, kind: int, values: Sequence[int]) -> list[Part]:
    code = SCALARS[kind][1] if kind != _F32 else "I"
    return [
        *text(name),
        Field("I", _ARRAY),
        Field("I", kind),
        Field("Q", len(values)),
        *(Field(code, v) for v in values),
    ]


def _text_key(name: bytes, value: bytes) -> list[Part]:
    return [*text(name), Field("I", _STRING), *text(value)]


def _stated() -> list[list[Part]]:
    numbers = [
        [*text(b"qwen2." + key.encode()), Field("I", _U32), Field("I", value)]
        for key, value in _QWEN2.items()
    ]
    floats = [
        [*text(key), Field("I", _F32), Field("I", int.from_bytes(struct.pack("<f", value), "little"))]
        for key, value in ((b"qwen2.rope.freq_base", 1e6), (b"qwen2.attention.layer_norm_rms_epsilon", 1e-6))
    ]
    return [_text_key(b"general.architecture", b"qwen2"), *numbers, *floats]


def _vocabulary() -> list[list[Part]]:
    return [
        _text_key(b"tokenizer.ggml.model", b"gpt2"),
        _text_key(b"tokenizer.ggml.pre", b"qwen2"),
        _texts(b"tokenizer.ggml.tokens", (b"a", b"b", "ab\u0120".encode(), b"<|end|>")),
        _texts(b"tokenizer.ggml.merges", (b"a b",)),
        _numbers(b"tokenizer.ggml.token_type", _I32, (1, 1, 1, 3)),
        _numbers(b"tokenizer.ggml.scores", _F32, (0, 0, 0, 0x7F800000 - 1)),
        [*text(b"tokenizer.ggml.eos_token_id"), Field("I", _U32), Field("I", 3)],
        [*text(b"tokenizer.ggml.add_bos_token"), Field("I", _BOOL), Field("B", 1)],
        _text_key(b"tokenizer.chat_template", b"{{ messages }}"),
    ]


def read(data: bytes, folder: Path) -> None:
    """Read it as a file whose name says that it is the first of two parts."""
    path = folder / "m-00001-of-00002.gguf"
    path.write_bytes(data)
    read_model(path)


_WORDS = (
    b"GGUF", b"general.alignment", b"general.architecture", b"split.count", b"split.no",
    b"split.tensors.count",
    b"tokenizer.ggml.tokens", b"qwen2.block_count", b"\xff" * 8, bytes(8), struct.pack("<I", _ARRAY),
    struct.pack("<I", _STRING),
    struct.pack("<Q", 2**63), b"<0x-1>", b"\x1b[2J", b"\xed\xa0\x80",
)  # fmt: skip

GGUF = Target(seeds, made, read, ERRORS, words=_WORDS)
