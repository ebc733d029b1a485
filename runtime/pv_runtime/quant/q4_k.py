"""Q4_K: 256 values in 144 bytes, as eight sub-blocks of 32 with a scale and a minimum each.

Layout: fp16 `d`, fp16 `dmin`, 12 bytes of 6-bit scales `sc` and minima `m`, 128 bytes of nibbles.
x = (d·sc)·q - (dmin·m), with both products taken in float32 first.
"""

from __future__ import annotations

import numpy as np

from pv_runtime.quant.affine import block_scales, pack_scales, recode, unpack_scales
from pv_runtime.quant.scheme import Bytes, Floats, Scheme

__all__ = ["Q4_K"]

_LEVELS = 15


def _dequantise(blocks: Bytes) -> Floats:
    scale, minimum = unpack_scales(blocks)
    pairs = blocks[:, 16:].reshape(-1, 4, 1, 32)
    # Group g of 32 bytes: low nibbles are sub-block 2g, high nibbles sub-block 2g + 1.
    codes = np.concatenate([pairs & 15, pairs >> 4], axis=2).reshape(-1, 8, 32)
    return (scale * codes.astype(np.float32) - minimum).reshape(-1, 256)


def _quantise(blocks: Floats) -> Bytes:
    """Search each sub-block's scale and minimum, round those to 6 bits, then round the codes again."""
    header = block_scales(blocks, levels=_LEVELS, first=-1.0, steps=20, name="Q4_K")
    packed = pack_scales(header)
    codes = recode(blocks, packed, _LEVELS).reshape(-1, 4, 2, 32)
    nibbles = (codes[:, :, 0] | (codes[:, :, 1] << 4)).reshape(-1, 128)
    return np.concatenate([packed, nibbles], axis=1)


Q4_K = Scheme("Q4_K", 256, 144, range(16, 144), range(2), _quantise, _dequantise)
"""Source: ggml ``block_q4_K`` and its reference quantiser without an importance matrix."""
