"""Block formats that this package has no decoder of its own for, through the `gguf` package's.

Ours (`pv_runtime.quant`) come first and are tested against it; the legacy formats, the other
K-quants and the codebook formats are rare enough that one slow, exact path serves them. Formats that
this path does not know either are listed and compared as bytes, and `decode` says so.
"""

from __future__ import annotations

import numpy as np

from pv_runtime.formats.ggml_types import GGML_NUMBERS, GGML_TYPES
from pv_runtime.quant.scheme import Bytes, Floats

__all__ = ["BORROWED", "dequantise_by_gguf"]

BORROWED = frozenset({
    "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S",
    "IQ1_S", "IQ1_M", "IQ4_NL", "IQ4_XS", "TQ1_0", "TQ2_0", "MXFP4", "NVFP4",
})  # fmt: skip
"""The formats that are decoded here."""

_CHUNK = 1 << 14
"""Blocks decoded at a time: the package's intermediates are several times the values."""


def dequantise_by_gguf(dtype: str, raw: Bytes) -> Floats:
    """Dequantise whole blocks of one of `BORROWED`, uint8 ``[n * block_bytes]``, to float32.

    Raises
    ------
    ValueError
        The bytes are no whole number of blocks, or the installed `gguf` is too old for the format.
    """
    import gguf

    _, elements, size = GGML_TYPES[GGML_NUMBERS[dtype]]
    if raw.size % size:
        raise ValueError(f"{raw.size} bytes are no multiple of {dtype}'s block of {size}")
    kind = gguf.GGMLQuantizationType.__members__.get(dtype)
    if kind is None:
        raise ValueError(f"{dtype} is not known to the installed gguf; install a newer one")
    blocks = np.ascontiguousarray(raw).reshape(-1, size)
    out = np.empty((len(blocks), elements), np.float32)
    with np.errstate(all="ignore"):  # scales out of a hostile file
        for start in range(0, len(blocks), _CHUNK):
            part = blocks[start : start + _CHUNK]
            out[start : start + _CHUNK] = gguf.quants.dequantize(part, kind).reshape(len(part), elements)
    return out.reshape(-1)
