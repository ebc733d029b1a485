"""Traces: a folder of APRT and .npy files with a trace.json, and shards of token ids."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from random import Random

import numpy as np
from pv_runtime.errors import LoadError, ModelError
from pv_runtime.pretrain.shards import open_shard
from pv_runtime.trace_compare import compare_traces
from pv_runtime.trace_file import is_trace, open_trace

from benchmarks.fuzz.field_damage import Field, Part, damage_fields, packed
from benchmarks.fuzz.json_damage import WORDS, damage_json, json_text
from benchmarks.fuzz.target import Target

__all__ = ["APRT", "NPY", "SHARD", "TRACE_JSON"]

_ORIGIN = {
    "format": "pv-trace",
    "version": "1",
    "tokens": [1, 2, 3],
    "positions": [0, 1, 2],
    "dtype": "float32",
    "model": "m",
}
_VALUES = np.arange(6, dtype="<f4")


def _aprt() -> list[Part]:
    return [b"APRT", Field("I", 3), Field("I", 6), _VALUES.tobytes()]


def _npy(values: np.ndarray[tuple[int, ...], np.dtype[np.floating]]) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def _read(folder: Path) -> None:
    """Read every stage of a trace and compare it with itself."""
    if not is_trace(str(folder)):
        raise LoadError("is no trace", folder)
    trace = open_trace(str(folder))
    for stage, layer in trace.stages():
        trace.values(stage, layer).sum(dtype=np.float64)
    compare_traces(trace, trace)


def _folder(folder: Path, *, origin: bytes, stage: bytes, name: str) -> Path:
    place = folder / "trace" / "layer-3"
    place.mkdir(parents=True, exist_ok=True)
    (place / name).write_bytes(stage)
    (folder / "trace" / "trace.json").write_bytes(origin)
    return folder / "trace"


_HONEST = json.dumps(_ORIGIN).encode()


def aprt_made(random: Random) -> bytes:
    """Damage the three fields of APRT."""
    parts = _aprt()
    damage_fields(parts, random)
    return packed(parts)


def read_aprt(data: bytes, folder: Path) -> None:
    """Read it as a stage of a trace of three tokens."""
    with np.errstate(all="ignore"):
        _read(_folder(folder, origin=_HONEST, stage=data, name="ffn_out.bin"))


def npy_seeds() -> list[bytes]:
    """Return one of each width and order."""
    shaped = _VALUES.reshape(3, 2)
    return [_npy(shaped.astype(kind)) for kind in ("<f4", "<f2", "<f8", ">f4")] + [
        _npy(np.asfortranarray(shaped))
    ]


def npy_made(random: Random) -> bytes:
    """Write another literal into the header, whose length is right."""
    shape = random.choice(
        (
            "(3, 2)",
            "(3,)",
            "()",
            "(2**62, 3)",
            "(-3, -2)",
            "(0, 2)",
            "(3, 2, 1, 1)",
            "(4611686018427387905, 4)",
            "'x'",
            "(1e3,)",
        )
    )
    kind = random.choice(
        (
            "'<f4'",
            "'|O'",
            "'<f16'",
            "'<c8'",
            "'|V4'",
            "[('a','<f4')]",
            "'<f4,<f4'",
            "None",
            "'x'",
            "'<f0'",
            "(" * 300,
        )
    )
    order = random.choice(("False", "True", "1", "None"))
    text = f"{{'descr': {kind}, 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    version = random.choice((b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\x04\x00", b"\xff\xff"))
    length = struct.pack("<H" if version == b"\x01\x00" else "<I", len(text))
    return b"\x93NUMPY" + version + length + text + _VALUES.tobytes()


def read_npy(data: bytes, folder: Path) -> None:
    """Read it as a stage of a trace of three tokens."""
    with np.errstate(all="ignore"):
        _read(_folder(folder, origin=_HONEST, stage=data, name="ffn_gate.npy"))


def read_origin(data: bytes, folder: Path) -> None:
    """Read it as what a trace says of itself."""
    _read(_folder(folder, origin=data, stage=packed(_aprt()), name="ffn_out.bin"))


def read_shard(data: bytes, folder: Path) -> None:
    """Read ids of a vocabulary of 1000."""
    path = folder / "0.bin"
    path.write_bytes(data)
    open_shard(path, 1000).ids.sum(dtype=np.uint64)


def shard_made(random: Random) -> bytes:
    """Damage ids."""
    parts: list[Part] = [Field("I", number) for number in (0, 1, 500, 999)]
    damage_fields(parts, random)
    return packed(parts)[: random.choice((16, 15, 99))]


_ERRORS = (LoadError, ModelError)

APRT = Target(lambda: [packed(_aprt())], aprt_made, read_aprt, _ERRORS, words=(b"APRT", b"\xff" * 4))
NPY = Target(
    npy_seeds,
    npy_made,
    read_npy,
    _ERRORS,
    words=(b"'|O'", b"True", b"(3, 2)", b"\x93NUMPY", b"\x80\x04", b"(" * 400),
)
TRACE_JSON = Target(
    lambda: [_HONEST, b'{"tokens": "[1,2,3]", "dtype": "bfloat16"}'],
    lambda random: json_text(damage_json(_ORIGIN, random), random),
    read_origin,
    _ERRORS,
    words=(*WORDS, b'"[1,2,3]"', b'"positions"', b"16777217"),
)
SHARD = Target(
    lambda: [struct.pack("<4I", 0, 1, 500, 999)],
    shard_made,
    read_shard,
    (ModelError,),
    words=(b"\xe8\x03\0\0",),
)
