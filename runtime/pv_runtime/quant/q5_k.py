"""Q5_K: as Q4_K, with a fifth bit of every code in 32 bytes before the nibbles; 176 bytes a block.

Bit j of byte l of `qh` is the fifth bit of element l of sub-block j.
"""

from __future__ import annotations

import numpy as np

from pv_runtime.quant.affine import block_scales, pack_scales, recode, unpack_scales
from pv_runtime.quant.scheme import Bytes, Floats, Scheme

__all__ = ["Q5_K"]

_LEVELS = 31
_BIT = np.arange(8, dtype=np.uint8).reshape(1, 8, 1)


def _dequantise(blocks: Bytes) -> Floats:
    scale, minimum = unpack_scales(blocks)
    high = (blocks[:, None, 16:48] >> _BIT) & 1
    pairs = blocks[:, 48:].reshape(-1, 4, 1, 32)
    low = np.concatenate([pairs & 15, pairs >> 4], axis=2).reshape(-1, 8, 32)
    codes = low | (high << 4)
    values: Floats = scale * codes.astype(np.float32) - minimum
    return values.reshape(-1, 256)


def _quantise(blocks: Floats) -> Bytes:
    header = block_scales(blocks, levels=_LEVELS, first=-0.5, steps=15, name="Q5_K")
    packed = pack_scales(header)
    codes = recode(blocks, packed, _LEVELS).reshape(-1, 8, 32)
    high = np.bitwise_or.reduce((codes >> 4) << _BIT, axis=1)
    low = (codes & 15).reshape(-1, 4, 2, 32)
    nibbles = (low[:, :, 0] | (low[:, :, 1] << 4)).reshape(-1, 128)
    return np.concatenate([packed, high, nibbles], axis=1)


Q5_K = Scheme("Q5_K", 256, 176, range(16, 176), range(2), _quantise, _dequantise)
"""Source: ggml ``block_q5_K`` and its reference quantiser without an importance matrix."""
