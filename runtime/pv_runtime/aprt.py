"""APRT, the file of one stage of aprender's `apr trace`.

``"APRT"``, u32 layer (0xFFFFFFFF for the whole model), u32 count, then float32 values; all little-endian.
A value's bits are kept whatever they are: a NaN stays that NaN. The file says neither on which tokens it
was made nor how many there were, so a folder of them needs a ``trace.json``.
"""

from __future__ import annotations

import os
import struct

import numpy as np

from pv_runtime.errors import LoadError
from pv_runtime.formats.file_bytes import FileBytes
from pv_runtime.formats.writing import writing
from pv_runtime.quant.scheme import Floats

__all__ = ["MAGIC", "MAX_COUNT", "read_aprt", "write_aprt"]

MAGIC = b"APRT"
MAX_COUNT = 2**32 - 1
_WHOLE = 0xFFFFFFFF
_HEADER = struct.Struct("<4sII")


def read_aprt(source: FileBytes) -> tuple[int | None, Floats]:
    """Read a stage.

    Returns
    -------
    tuple
        The layer, None for the whole model, and float32 ``[count]``, mapped and read-only.

    Raises
    ------
    LoadError
        Another magic, or a count that is not that of the values in the file.
    """
    if source.size < _HEADER.size:
        raise LoadError(f"{source.size} bytes cannot hold APRT's header of {_HEADER.size}", source.path)
    magic, layer, count = _HEADER.unpack(source.read(0, _HEADER.size).tobytes())
    if magic != MAGIC:
        raise LoadError(f"begins with {magic!r} instead of {MAGIC!r}", source.path)
    if source.size != _HEADER.size + 4 * count:
        expected = _HEADER.size + 4 * count
        raise LoadError(
            f"announces {count} values, which with the header are {expected} bytes, and has {source.size}",
            source.path,
            "the file was cut short, or something was appended to it: trace again",
        )
    values: Floats = source.read(_HEADER.size, 4 * count).view("<f4")
    return (None if layer == _WHOLE else layer), values


def write_aprt(path: str | os.PathLike[str], layer: int | None, values: Floats) -> None:
    """Write float32 `values` of any shape, flattened, whole or not at all.

    Raises
    ------
    ValueError
        There are more values, or a larger layer, than the header can say.
    """
    if values.size > MAX_COUNT:
        raise ValueError(f"{values.size} values are more than APRT can count; save as safetensors")
    if layer is not None and not 0 <= layer < _WHOLE:
        raise ValueError(f"layer {layer} has no number in APRT")
    data = np.ascontiguousarray(values, "<f4")
    with writing(path) as file:
        file.write(_HEADER.pack(MAGIC, _WHOLE if layer is None else layer, values.size))
        file.write(data.data)
