"""Write GGUF version 3, little-endian, alignment 32."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from pv_runtime.formats.checkpoint import TensorInfo
from pv_runtime.formats.ggml_types import GGML_NUMBERS, SCALARS
from pv_runtime.formats.writing import writing
from pv_runtime.names import gguf_name
from pv_runtime.quant.scheme import Bytes

__all__ = ["Typed", "packed_pair", "write_gguf"]

_ALIGNMENT = 32
_MAX_NAME = 63
"""Bytes of a tensor's name, as ``GGML_MAX_NAME`` of ggml.h has it, less the zero at the end."""
_KINDS = {name: (number, code) for number, (name, code) in SCALARS.items()}


@dataclasses.dataclass(frozen=True)
class Typed:
    """A number, or numbers, of a GGUF type other than the default one."""

    kind: str
    value: float | Sequence[int] | Sequence[float]


def write_gguf(
    path: str,
    tensors: Iterable[tuple[TensorInfo, Callable[[], Bytes]]],
    metadata: Mapping[str, object],
) -> None:
    """Write tensors (Hugging Face names) and keys in the order given.

    ``bool`` becomes BOOL, ``int`` UINT32 (INT32 below zero, UINT64 beyond 32 bits), ``float``
    FLOAT32, ``str`` STRING, sequences arrays of these with INT32 for integers; `Typed` says
    otherwise. The same input gives the same bytes.

    Raises
    ------
    ValueError
        A value or dtype has no type in GGUF, a name or rank is beyond it, or bytes do not match a
        tensor's info.
    """
    if metadata.get("general.alignment", _ALIGNMENT) != _ALIGNMENT:
        raise ValueError(
            f"this writer aligns to {_ALIGNMENT}, not to {metadata['general.alignment']}; drop the key"
        )
    listed = list(tensors)
    head = [struct.pack("<4sIQQ", b"GGUF", 3, len(listed), len(metadata))]
    head += [packed_pair(key, value) for key, value in metadata.items()]
    offset = 0
    for info, _ in listed:
        if info.dtype not in GGML_NUMBERS:
            raise ValueError(f"tensor {info.name}: GGUF has no type {info.dtype}")
        dims, name = tuple(reversed(info.shape)), gguf_name(info.name)
        if not 0 < len(name.encode()) <= _MAX_NAME or len(dims) > 4 or 0 in dims:
            raise ValueError(
                f"tensor {info.name}: GGUF has names of 1 to {_MAX_NAME} bytes and up to 4 dimensions, none "
                "of them 0"
            )
        head += [
            _text(name),
            struct.pack(f"<I{len(dims)}Q", len(dims), *dims),
            struct.pack("<IQ", GGML_NUMBERS[info.dtype], offset),
        ]
        offset += info.nbytes + -info.nbytes % _ALIGNMENT
    header = b"".join(head)
    with writing(path) as file:
        file.write(header + bytes(-len(header) % _ALIGNMENT))
        for info, raw in listed:
            values = np.ascontiguousarray(raw())
            if values.nbytes != info.nbytes:
                raise ValueError(f"tensor {info.name}: {values.nbytes} bytes, announced were {info.nbytes}")
            file.write(values.data)  # without a copy: a tensor may be gigabytes
            file.write(bytes(-info.nbytes % _ALIGNMENT))


def packed_pair(key: str, value: object) -> bytes:
    """Return a key and its value as they stand in a header; `write_gguf` says of which types.

    Raises
    ------
    ValueError
        The value has no type in GGUF.
    """
    kind, data = _value(key, value)
    return _text(key) + struct.pack("<I", kind) + data


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def _value(key: str, value: object) -> tuple[int, bytes]:
    """Return the type number and the bytes of a value."""
    if isinstance(value, str):
        return 8, _text(value)
    if isinstance(value, Typed):
        number, code = _KINDS[value.kind]
        if isinstance(value.value, Sequence):
            return 9, struct.pack(f"<IQ{len(value.value)}{code}", number, len(value.value), *value.value)
        return number, struct.pack("<" + code, value.value)
    if isinstance(value, (list, tuple)):
        return 9, _array(key, value)
    number, code = _KINDS[_kind(key, value)]
    return number, struct.pack("<" + code, value)


def _array(key: str, items: Sequence[object]) -> bytes:
    if all(isinstance(item, str) for item in items):
        return struct.pack("<IQ", 8, len(items)) + b"".join(_text(str(item)) for item in items)
    kinds = {"INT32" if type(item) is int else _kind(key, item) for item in items}
    if len(kinds) != 1:
        raise ValueError(f"{key}: an array in GGUF has one type, not {sorted(kinds)}")
    number, code = _KINDS[kinds.pop()]
    return struct.pack(f"<IQ{len(items)}{code}", number, len(items), *items)


def _kind(key: str, value: object) -> str:
    if isinstance(value, bool):
        return "BOOL"
    if isinstance(value, int):
        return "INT32" if value < 0 else "UINT32" if value < 2**32 else "UINT64"
    if isinstance(value, float):
        return "FLOAT32"
    raise ValueError(f"{key}: GGUF has no type for a {type(value).__name__}")
