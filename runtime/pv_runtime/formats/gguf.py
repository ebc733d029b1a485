"""Read GGUF: header, tensor table, and checkpoints over them.

Dimensions are listed innermost first in the file; here the list is reversed and the data is never
permuted, so that a weight is ``(out, in)`` as everywhere.
"""

from __future__ import annotations

import math

from pv_runtime.errors import LoadError
from pv_runtime.formats.checkpoint import TensorInfo
from pv_runtime.formats.file_bytes import FileBytes
from pv_runtime.formats.ggml_types import GGML_TYPES, REFUSED_TYPES, SCALARS
from pv_runtime.formats.gguf_header import Cursor, read_value
from pv_runtime.formats.table import TableCheckpoint
from pv_runtime.names import hf_name

__all__ = ["read_gguf"]

_MAX_ALIGNMENT = 1 << 20
_MAX_NAME = 65535
_MAX_KEYS = 1 << 16
_MAX_TENSORS = 1 << 20
_LEAST_KEY = 8 + 4 + 1
_LEAST_TENSOR = 8 + 4 + 4 + 8


def read_gguf(source: FileBytes) -> TableCheckpoint:
    """Read the header of a little-endian GGUF file of version 2 or 3; the tensors stay in the file.

    ``metadata`` has the file's keys; arrays in it are decoded when used. Names are Hugging Face's,
    in the order of the data.

    Raises
    ------
    LoadError
        The header is not well-formed, or does not match the file's length.
    """
    cursor = Cursor(source)
    if bytes(cursor.take(4, "the magic")) != b"GGUF":
        raise LoadError("the file does not begin with GGUF", source.path)
    version = cursor.number("I", "the version")
    if version not in {2, 3}:
        swapped = int.from_bytes(version.to_bytes(4, "little"), "big")
        hint = " (big-endian, which is not read here)" if swapped in {2, 3} else ""
        raise LoadError(f"GGUF version {version} is none of 2, 3{hint}", source.path)
    tensor_count = cursor.number("Q", "the tensor count")
    key_count = cursor.number("Q", "the key count")
    left = source.size - cursor.position
    if key_count * _LEAST_KEY + tensor_count * _LEAST_TENSOR > left:  # before looping over either
        raise LoadError(
            f"{key_count} keys and {tensor_count} tensors cannot fit in {left} bytes", source.path
        )
    if key_count > _MAX_KEYS or tensor_count > _MAX_TENSORS:
        raise LoadError(
            f"{key_count} keys, {tensor_count} tensors: more than {_MAX_KEYS} or {_MAX_TENSORS} are refused",
            source.path,
        )
    metadata: dict[str, object] = {}
    alignment = 32
    for _ in range(key_count):
        key = cursor.text("a key")
        if not 0 < len(key) <= _MAX_NAME:
            raise LoadError(f"a key has {len(key)} characters", source.path)
        if key in metadata:
            raise LoadError(f"the key {key!r} occurs twice", source.path)
        kind, metadata[key] = read_value(cursor, key)
        if key == "general.alignment":
            alignment = _alignment(source, kind, metadata[key])
    entries = [_entry(cursor) for _ in range(tensor_count)]
    start = cursor.position + -cursor.position % alignment
    table = _table(source, entries, start, alignment)
    return TableCheckpoint("gguf", source, metadata, table, str(version))


def _alignment(source: FileBytes, kind: int, value: object) -> int:
    if SCALARS.get(kind, ("",))[0] != "UINT32" or not isinstance(value, int):
        raise LoadError("general.alignment is no UINT32", source.path)
    if not 8 <= value <= _MAX_ALIGNMENT or value & (value - 1):
        raise LoadError(f"general.alignment {value} is no power of two from 8 to 1 MiB", source.path)
    return value


def _entry(cursor: Cursor) -> tuple[TensorInfo, int]:
    """Read one tensor's description and its offset relative to the data."""
    name = cursor.text("a tensor's name")
    if not 0 < len(name) <= _MAX_NAME:
        raise LoadError(f"a tensor's name has {len(name)} characters", cursor.path)
    rank = cursor.number("I", f"the rank of {name}")
    if rank > 4:
        raise LoadError(f"tensor {name} has {rank} dimensions; GGUF allows 4", cursor.path)
    dims = [cursor.number("Q", f"a dimension of {name}") for _ in range(rank)]
    number = cursor.number("I", f"the type of {name}")
    offset = cursor.number("Q", f"the offset of {name}")
    if not all(0 < dim < 2**63 for dim in dims):
        raise LoadError(f"tensor {name} has dimensions {dims}", cursor.path)
    if number not in GGML_TYPES:
        known = REFUSED_TYPES.get(number, "which is not known here")
        raise LoadError(f"tensor {name} has the type {number}, {known}", cursor.path)
    dtype, block, size = GGML_TYPES[number]
    if block > 1 and (not dims or dims[0] % block):
        row = dims[0] if dims else 1
        raise LoadError(
            f"tensor {name}: a row of {row} is no multiple of {dtype}'s block of {block}", cursor.path
        )
    nbytes = math.prod(dims) // block * size
    return TensorInfo(hf_name(name), dtype, tuple(reversed(dims)), nbytes), offset


def _table(
    source: FileBytes, entries: list[tuple[TensorInfo, int]], start: int, alignment: int
) -> dict[str, tuple[TensorInfo, int]]:
    """Check that the tensors lie back to back, aligned, and fill the file."""
    table: dict[str, tuple[TensorInfo, int]] = {}
    expected = end = 0
    for info, offset in entries:
        if info.name in table:
            raise LoadError(f"the tensor {info.name} occurs twice", source.path)
        if offset != expected:
            raise LoadError(
                f"tensor {info.name} lies at offset {offset}; back to back and aligned it is {expected}",
                source.path,
            )
        table[info.name] = (info, start + offset)
        end = offset + info.nbytes
        expected = end + -end % alignment
    if entries and start + end > source.size:
        raise LoadError(
            f"the tensors end at byte {start + end}, the file has {source.size}",
            source.path,
            "the file is cut short: fetch it again",
        )
    if source.size > start + expected:
        raise LoadError(f"{source.size - start - expected} bytes follow the last tensor", source.path)
    return table
