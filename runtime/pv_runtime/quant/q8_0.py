"""Q8_0: 32 values in 34 bytes, one fp16 scale `d` and 32 signed bytes `q`; x = d·q."""

from __future__ import annotations

import numpy as np

from pv_runtime.quant.scheme import Bytes, Floats, Scheme, finite_half

__all__ = ["Q8_0"]


def _dequantise(blocks: Bytes) -> Floats:
    scale = blocks[:, :2].copy().view(np.float16).astype(np.float32)
    return scale * blocks[:, 2:].view(np.int8).astype(np.float32)


def _quantise(blocks: Floats) -> Bytes:
    """Scale d = max|x| / 127; q = round(x · (1/d)), halves away from zero.

    Codes use the float32 `d`; the stored scale is rounded to fp16 after them, as in ggml.
    """
    scale = np.abs(blocks).max(axis=1, keepdims=True) / np.float32(127)
    # Below this 1/d overflows; the scale's fp16 is zero, and so is every value it could code.
    usable = scale > np.float32(2.0**-127)
    inverse = np.where(usable, np.float32(1) / np.where(usable, scale, np.float32(1)), np.float32(0))
    scaled = blocks * inverse
    magnitude = np.abs(scaled)
    floor = np.floor(magnitude)
    rounded = np.copysign(floor + np.floor(np.float32(2) * (magnitude - floor)), scaled)
    half = finite_half(np.ascontiguousarray(scale), "Q8_0")
    return np.concatenate([half.view(np.uint8), rounded.astype(np.int8).view(np.uint8)], axis=1)


Q8_0 = Scheme("Q8_0", 32, 34, range(2, 34), range(2), _quantise, _dequantise)
"""Source: ggml ``block_q8_0``."""
