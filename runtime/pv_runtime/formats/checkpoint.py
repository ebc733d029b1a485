"""The one interface of model files, whatever their format."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from pv_runtime.errors import LoadError, QuantisationError
from pv_runtime.formats.ggml_decode import BORROWED, dequantise_by_gguf
from pv_runtime.quant import SCHEMES
from pv_runtime.quant.scheme import Bytes, Floats

__all__ = ["DECODED", "PLAIN", "Checkpoint", "TensorInfo", "decode"]

PLAIN: dict[str, int] = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1,
    "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1,
    "F8_E4M3FNUZ": 1, "F8_E5M2FNUZ": 1, "F8_E8M0": 1, "C64": 8,
}  # fmt: skip
"""Bytes of one element of the dtypes that have no blocks."""

_NUMPY = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "u1",
}  # fmt: skip

DECODED = frozenset({*_NUMPY, "BF16", *SCHEMES, *BORROWED})
"""The dtypes that `decode` turns into values; all others are listed, and compared as bytes."""


@dataclasses.dataclass(frozen=True, slots=True)
class TensorInfo:
    """What a file's header says of one tensor.

    Parameters
    ----------
    name
        As Hugging Face names it.
    dtype
        ``"F32"``, ``"F16"``, ``"BF16"``, … or a block format such as ``"Q4_K"``.
    shape
        Outermost dimension first, ``(out, in)`` for a weight.
    nbytes
        Size of its data in the file.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    nbytes: int

    @property
    def elements(self) -> int:
        """Number of values."""
        return math.prod(self.shape)


class Checkpoint(Protocol):
    """Named tensors of one model file, read lazily: opening touches the header only."""

    @property
    def format(self) -> str:
        """``"safetensors"`` or ``"gguf"``."""

    @property
    def path(self) -> str:
        """The file that holds the weights."""

    @property
    def metadata(self) -> Mapping[str, object]:
        """What the file says of the model, under the format's own keys."""

    def names(self) -> tuple[str, ...]:
        """Return the tensors' names as Hugging Face spells them, in the order of the file's data."""

    def info(self, name: str) -> TensorInfo:
        """Describe a tensor; raises `LoadError` where there is none of that name."""

    def raw(self, name: str) -> Bytes:
        """Return the tensor's bytes, read-only uint8 ``[nbytes]``, mapped where possible."""

    def tensor(self, name: str) -> Floats:
        """Return the tensor's values as float32 in its shape.

        Blocks are dequantised; F16 and BF16 widen exactly, F64 and wide integers are rounded.
        """

    def matrices(self) -> tuple[str, ...]:
        """Return the names of the tensors of two dimensions, in the order of `names`."""


def decode(info: TensorInfo, raw: Bytes, path: str) -> Floats:
    """Turn a tensor's bytes into float32 values in its shape.

    Raises
    ------
    LoadError
        The dtype cannot be decoded here, or the bytes do not match the shape.
    """
    try:
        values = _values(info.dtype, raw)
    except (QuantisationError, ValueError) as error:
        raise LoadError(f"tensor {info.name}: {error}", path) from error
    if values is None:
        known = ", ".join(sorted(DECODED))
        raise LoadError(
            f"tensor {info.name} is {info.dtype}, which is not decoded here", path, f"decoded are {known}"
        )
    if values.size != info.elements:
        raise LoadError(f"tensor {info.name}: {values.size} values for shape {info.shape}", path)
    return values.reshape(info.shape)


def _values(dtype: str, raw: Bytes) -> Floats | None:
    if dtype in SCHEMES:
        return SCHEMES[dtype].dequantise(raw)
    raw = np.ascontiguousarray(raw)
    if dtype == "BF16":
        return (raw.view("<u2").astype(np.uint32) << 16).view(np.float32)
    if dtype in BORROWED:
        return dequantise_by_gguf(dtype, raw)
    if dtype not in _NUMPY:
        return None
    # An F64 beyond float32 becomes an infinity, which is visible; a signalling NaN becomes a quiet one.
    with np.errstate(over="ignore", invalid="ignore"):
        return raw.view(_NUMPY[dtype]).astype(np.float32)
