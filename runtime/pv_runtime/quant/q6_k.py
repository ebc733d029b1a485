"""Q6_K: 256 values in 210 bytes, as sixteen sub-blocks of 16 with a signed 8-bit scale each.

Layout: 128 bytes of low nibbles, 64 bytes of high bit pairs, 16 int8 scales `sc`, and last the
fp16 `d`. x = (d·sc)·(q - 32).
"""

from __future__ import annotations

import numpy as np

from pv_runtime.quant.scheme import Bytes, Floats, Scheme, finite_half, tree_sum

__all__ = ["Q6_K"]

_EMPTY = np.float32(1e-15)
"""A sub-block or block of smaller magnitudes is coded as zeros (ggml's ``GROUP_MAX_EPS``)."""


def _dequantise(blocks: Bytes) -> Floats:
    scale = _sub_scales(blocks[:, 192:208].view(np.int8), blocks[:, 208:210].copy().view(np.float16))
    # A half of 128 values: 64 bytes of nibbles and 32 bytes of bit pairs; quarter k of the half
    # takes nibble k // 2 of bytes 32·(k % 2) + l, and bit pair k of byte l.
    low = blocks[:, :128].reshape(-1, 2, 2, 32)
    low = np.concatenate([low & 15, low >> 4], axis=2)
    pair = np.array([0, 2, 4, 6], dtype=np.uint8).reshape(1, 1, 4, 1)
    high = (blocks[:, 128:192].reshape(-1, 2, 1, 32) >> pair) & 3
    codes = (low | (high << 4)).reshape(-1, 16, 16).view(np.int8) - np.int8(32)
    return (scale * codes.astype(np.float32)).reshape(-1, 256)


def _quantise(blocks: Floats) -> Bytes:
    """Search each sub-block's scale, round those to int8 under one fp16 `d`, then round the codes."""
    wanted = _search(np.ascontiguousarray(blocks.reshape(-1, 16).T)).reshape(-1, 16)
    place = np.abs(wanted).argmax(axis=1)[:, None]
    largest = np.take_along_axis(wanted, place, axis=1)
    usable = np.abs(largest) > _EMPTY
    inverse = np.float32(-128) / np.where(usable, largest, np.float32(1))
    d = finite_half(np.where(usable, np.float32(1) / inverse, np.float32(0)), "Q6_K")
    scales = np.where(usable, np.clip(np.rint(inverse * wanted), -128, 127), 0).astype(np.int8)
    step = _sub_scales(scales, d)
    coded = step != 0
    ratio = blocks.reshape(-1, 16, 16) / np.where(coded, step, np.float32(1))
    codes = np.where(coded, np.clip(np.rint(ratio), -32, 31), 0).astype(np.int8) + np.int8(32)
    quarters = codes.view(np.uint8).reshape(-1, 2, 4, 32)
    low = (quarters[:, :, :2] & 15) | ((quarters[:, :, 2:] & 15) << 4)
    high = quarters >> 4
    pairs = high[:, :, 0] | (high[:, :, 1] << 2) | (high[:, :, 2] << 4) | (high[:, :, 3] << 6)
    return np.concatenate(
        [low.reshape(-1, 128), pairs.reshape(-1, 64), scales.view(np.uint8), d.view(np.uint8)], axis=1
    )


def _sub_scales(scales: np.typing.NDArray[np.int8], d: np.typing.NDArray[np.float16]) -> Floats:
    """d·sc of int8 ``[n, 16]`` and fp16 ``[n, 1]``, as float32 ``[n, 16, 1]``."""
    product: Floats = d.astype(np.float32) * scales.astype(np.float32)
    return product[:, :, None]


def _search(x: Floats) -> Floats:
    """Scale of each column of `x`, float32 ``[16, m]``, signed as its value of largest magnitude, negated.

    With weights w = x² and codes q from the inverse scale -(32 + i/10)/extreme, |i| <= 9, the least
    squares scale is Σwxq/Σwq² and lowers the error by (Σwxq)²/Σwq²: the candidate with the largest
    reduction wins, i = 0 first.
    """
    place = np.abs(x).argmax(axis=0)[None]
    extreme = np.take_along_axis(x, place, axis=0)[0]
    usable = np.abs(extreme) > _EMPTY
    divisor = np.where(usable, extreme, np.float32(1))
    # Weights relative to the extreme: the same optimum, and nothing under- or overflows.
    weight = (x / divisor) * (x / divisor)
    scale: Floats = np.zeros_like(extreme)
    best = np.zeros_like(extreme)
    for step in (0, *range(-9, 0), *range(1, 10)):
        codes = np.clip(np.rint(np.float32(-(32 + 0.1 * step)) / divisor * x), -32, 31)
        weighted = weight * codes
        sum_xq, sum_q2 = tree_sum(weighted * x), tree_sum(weighted * codes)
        solvable = usable & (sum_q2 > 0)
        fitted = np.where(solvable, sum_xq / np.where(solvable, sum_q2, np.float32(1)), np.float32(0))
        gain = fitted * sum_xq
        better = solvable & (gain > best)
        best, scale = np.where(better, gain, best), np.where(better, fitted, scale)
    return scale


Q6_K = Scheme("Q6_K", 256, 210, range(192), range(208, 210), _quantise, _dequantise)
"""Source: ggml ``block_q6_K`` and its reference quantiser without an importance matrix."""
