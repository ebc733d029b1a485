"""Safetensors: a length, a JSON header, and bytes; and an index of several such files."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.fuzz.byte_damage import NASTY
from benchmarks.fuzz.formats.models import ERRORS, read_model
from benchmarks.fuzz.json_damage import WORDS, damage_json, json_text
from benchmarks.fuzz.target import Target

__all__ = ["INDEX", "SAFETENSORS"]

_BYTES = {
    "F64": 64, "F32": 32, "F16": 16, "BF16": 16, "I64": 64, "I32": 32, "I16": 16, "I8": 8, "U64": 64,
    "U32": 32, "U16": 16,
    "U8": 8, "BOOL": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F4": 4, "F6_E2M3": 6, "C64": 64, "F8_E8M0": 8,
}  # fmt: skip
"""Bits of one element."""


_CONFIG = {
    "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 64, "intermediate_size": 128,
    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
    "max_position_embeddings": 64, "rms_norm_eps": 1e-6, "rope_theta": 1e4, "vocab_size": 4,
    "tie_word_embeddings": True, "rope_scaling": {"rope_type": "default"},
}  # fmt: skip
"""As metadata carry it, in text."""


def _header(
    shapes: dict[str, tuple[str, list[int]]], config: bytes | None = None
) -> tuple[dict[str, Any], int]:
    found: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    if config is not None:
        found["__metadata__"]["config"] = config.decode("utf-8", "surrogatepass")
    position = 0
    for name, (dtype, shape) in shapes.items():
        bits = _BYTES[dtype]
        for dim in shape:
            bits *= dim
        found[name] = {"dtype": dtype, "shape": shape, "data_offsets": [position, position + bits // 8]}
        position += bits // 8
    return found, position


def _file(header: bytes, data: int) -> bytes:
    return struct.pack("<Q", len(header)) + header + (b"\x00\x3c\x11\x80" * (data // 4 + 1))[:data]


def _honest(shapes: dict[str, tuple[str, list[int]]], config: bytes | None = None) -> bytes:
    header, data = _header(shapes, config)
    return _file(json.dumps(header).encode(), data)


def seeds() -> list[bytes]:
    """Return the smallest file and one of each dtype, several shapes, and one with a config."""
    shapes: tuple[list[int], ...] = ([4], [2, 4], [], [0], [1, 2, 2, 2, 1, 1])
    return [
        _file(b"{}", 0),
        _honest({"model.embed_tokens.weight": ("F16", [4, 64])}, json.dumps(_CONFIG).encode()),
        *(_honest({"w": (dtype, [4])}) for dtype in _BYTES),
        *(_honest({"model.norm.weight": ("F32", list(shape)), "b": ("U8", [3])}) for shape in shapes),
    ]


def made(random: Random) -> bytes:
    """Build a header of a few tensors, damage its values, and state its length, nearly always right."""
    shapes = {
        f"model.layers.{number}.mlp.up_proj.weight": (
            random.choice(list(_BYTES)),
            [4 * random.randint(0, 2), 2],
        )
        for number in range(random.randrange(5))
    }
    if random.random() < 0.3:
        header, data = _header(shapes, json_text(damage_json(_CONFIG, random), random))
        return _file(json_text(header, random), data)
    header, data = _header(shapes)
    raw = _file(json_text(damage_json(header, random), random), data)
    if random.random() < 0.1:
        raw = struct.pack("<Q", random.choice(NASTY)) + raw[8:]
    return raw


def mended(data: bytes, random: Random) -> bytes:
    """Mostly, let the length say where the last brace is."""
    end = data.rfind(b"}") + 1
    if end > 8 and random.random() < 0.7:
        return struct.pack("<Q", end - 8) + data[8:]
    return data


def read(data: bytes, folder: Path) -> None:
    """Read it as a model."""
    path = folder / "m.safetensors"
    path.write_bytes(data)
    read_model(path)


_SHARDS = {
    "model-00001-of-00002.safetensors": {"a": ("F32", [2, 2]), "b": ("F16", [3])},
    "model-00002-of-00002.safetensors": {"c": ("BF16", [4])},
}
_INDEX = {
    "metadata": {"total_size": 30},
    "weight_map": {name: shard for shard, tensors in _SHARDS.items() for name in tensors},
}


def index_seeds() -> list[bytes]:
    """Return indexes of the two shards that lie beside."""
    return [json.dumps(_INDEX).encode(), json.dumps({"weight_map": _INDEX["weight_map"]}, indent=2).encode()]


def index_made(random: Random) -> bytes:
    """Damage the values of an index."""
    return json_text(damage_json(_INDEX, random), random)


def read_index(data: bytes, folder: Path) -> None:
    """Read the index beside two honest shards, a link out of the folder, a FIFO and a folder."""
    if not (folder / "out.safetensors").is_symlink():
        import os

        for name, shapes in _SHARDS.items():
            (folder / name).write_bytes(_honest(shapes))
        (folder / "out.safetensors").symlink_to("/etc/passwd")
        os.mkfifo(folder / "fifo.safetensors")
        (folder / "folder.safetensors").mkdir()
    path = folder / "model.safetensors.index.json"
    path.write_bytes(data)
    read_model(path)


_INDEX_WORDS = tuple(
    b'"%s"' % name
    for name in (
        b"../x", b"/etc/passwd", b"/dev/zero", b"out.safetensors", b"fifo.safetensors", b"folder.safetensors",
        b"model-00001-of-00002.safetensors", b"..", b".", b"a" * 300, b"\\u0000",
        b"model.safetensors.index.json",
    )
)  # fmt: skip

SAFETENSORS = Target(
    seeds, made, read, ERRORS, mended, (*WORDS, b'"F32"', b'"F4"', b'"data_offsets"', b'"shape"')
)
INDEX = Target(index_seeds, index_made, read_index, ERRORS, words=(*WORDS, *_INDEX_WORDS))
