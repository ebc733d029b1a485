"""What Q4_K and Q5_K share: eight sub-blocks of 32 values, x ≈ scale·q - minimum, 6-bit scales.

Sources: ggml ``block_q4_K``, ``block_q5_K`` and their reference search (weighted least squares
over a family of candidate scales). Of ggml 0.13's own blocks 96 to 99.8 % come out byte for byte,
the others with a candidate of equal error: ggml sums in the order that its compiler chose. Arrays
of the search are ``[32, sub-blocks]``: sums run over axis 0 in a fixed order.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from pv_runtime.quant.scheme import Bytes, Floats, finite_half, tree_sum

__all__ = ["Header", "block_scales", "pack_scales", "recode", "unpack_scales"]

_FLAT = np.float32(1e-15)
"""A sub-block whose range is below this has one value: its fp16 scale would be zero anyway."""


@dataclasses.dataclass(frozen=True)
class Header:
    """The scales of blocks: fp16 `d`, `dmin` ``[n, 1]`` and 6-bit `scales`, `minima` ``[n, 8]``."""

    d: NDArray[np.float16]
    dmin: NDArray[np.float16]
    scales: Bytes
    minima: Bytes


def block_scales(blocks: Floats, *, levels: int, first: float, steps: int, name: str) -> Header:
    """Find the scales of float32 ``[n, 256]`` blocks.

    d = max(scale)/63 and dmin = max(minimum)/63; a sub-block's 6 bits are the nearest integer to
    63·scale/max(scale), and likewise its minimum.
    """
    scale, minimum = _search(np.ascontiguousarray(blocks.reshape(-1, 32).T), levels, first, steps)
    d, scales = _six_bits(scale.reshape(-1, 8), name)
    dmin, minima = _six_bits(minimum.reshape(-1, 8), name)
    return Header(d, dmin, scales, minima)


def _six_bits(values: Floats, name: str) -> tuple[NDArray[np.float16], Bytes]:
    largest = np.maximum(values.max(axis=1, keepdims=True), np.float32(0))
    usable = largest > _FLAT
    inverse = np.where(usable, np.float32(63) / np.where(usable, largest, np.float32(1)), np.float32(0))
    codes = np.clip(np.rint(inverse * values), 0, 63).astype(np.uint8)
    return finite_half(largest / np.float32(63), name), codes


def _search(x: Floats, levels: int, first: float, steps: int) -> tuple[Floats, Floats]:
    """Scale and minimum (>= 0, to be subtracted) of each column of `x`, float32 ``[32, m]``.

    Weights are w = sqrt(mean x²) + |x|. Candidate i of 0…steps codes with the inverse scale
    (levels + first + i/10) / (max - min); with those codes q the weighted least squares fit

        scale = (Σw·Σwqx - Σwx·Σwq) / D,   min = (Σwq²·Σwx - Σwq·Σwqx) / D,
        D = Σw·Σwq² - (Σwq)²

    (min held at 0 where it would be positive) replaces the best so far if Σw(scale·q + min - x)²
    is lower; later candidates start from the accepted minimum.
    """
    zero, one, top = np.float32(0), np.float32(1), np.float32(levels)
    weight = np.sqrt(tree_sum(x * x) / np.float32(32)) + np.abs(x)
    sum_w, sum_x = tree_sum(weight), tree_sum(weight * x)
    highest, minimum = x.max(axis=0), np.minimum(x.min(axis=0), zero).astype(np.float32)
    flat = ~(highest - minimum > _FLAT)
    scale: Floats = np.where(flat, zero, (highest - minimum) / top)

    def codes_for(numerator: np.float32) -> Floats:
        spread = highest - minimum
        inverse = numerator / np.where(spread > _FLAT, spread, one)
        codes: Floats = np.clip(np.rint(inverse * (x - minimum)), zero, top)
        return codes

    def error_of(codes: Floats, factor: Floats, offset: Floats) -> Floats:
        difference = factor * codes + offset - x
        return tree_sum(weight * (difference * difference))

    best = error_of(codes_for(top), scale, minimum)
    for step in range(steps + 1):
        codes = codes_for(np.float32(levels + first + 0.1 * step))
        weighted = weight * codes
        sum_q, sum_q2, sum_qx = tree_sum(weighted), tree_sum(weighted * codes), tree_sum(weighted * x)
        determinant = sum_w * sum_q2 - sum_q * sum_q
        solvable = (determinant > zero) & ~flat
        divisor = np.where(solvable, determinant, one)
        fitted: Floats = np.divide(sum_w * sum_qx - sum_x * sum_q, divisor)
        offset: Floats = np.divide(sum_q2 * sum_x - sum_q * sum_qx, divisor)
        positive = offset > zero
        through_zero: Floats = np.divide(sum_qx, np.where(sum_q2 > zero, sum_q2, one))
        fitted = np.where(positive, through_zero, fitted)
        offset = np.minimum(offset, zero)
        error = error_of(codes, fitted, offset)
        better = solvable & (error < best)
        best = np.where(better, error, best)
        scale, minimum = np.where(better, fitted, scale), np.where(better, offset, minimum)
    return scale, -minimum


def pack_scales(header: Header) -> Bytes:
    """Pack to uint8 ``[n, 16]``: d, dmin, then scales and minima in 6 bits each.

    Sub-blocks 0-3 lie in the low 6 bits of bytes 0-3 (scale) and 4-7 (minimum); of sub-blocks
    4-7 the low 4 bits share bytes 8-11, the high 2 bits lie atop bytes 0-3 and 4-7.
    """
    scales, minima = header.scales, header.minima
    packed = np.concatenate(
        [
            scales[:, :4] | ((scales[:, 4:] >> 4) << 6),
            minima[:, :4] | ((minima[:, 4:] >> 4) << 6),
            (scales[:, 4:] & 15) | ((minima[:, 4:] & 15) << 4),
        ],
        axis=1,
    )
    return np.concatenate([header.d.view(np.uint8), header.dmin.view(np.uint8), packed], axis=1)


def unpack_header(blocks: Bytes) -> Header:
    """Read back what `pack_scales` wrote at the head of each of uint8 ``[n, >= 16]`` blocks."""
    halves = blocks[:, :4].copy().view(np.float16)
    low, middle, shared = blocks[:, 4:8], blocks[:, 8:12], blocks[:, 12:16]
    scales = np.concatenate([low & 63, (shared & 15) | ((low >> 6) << 4)], axis=1)
    minima = np.concatenate([middle & 63, (shared >> 4) | ((middle >> 6) << 4)], axis=1)
    return Header(halves[:, :1], halves[:, 1:], scales, minima)


def unpack_scales(blocks: Bytes) -> tuple[Floats, Floats]:
    """Return d·sc and dmin·m of each sub-block, float32 ``[n, 8, 1]`` each."""
    header = unpack_header(blocks)
    scale = header.d.astype(np.float32) * header.scales.astype(np.float32)
    minimum = header.dmin.astype(np.float32) * header.minima.astype(np.float32)
    return scale[:, :, None], minimum[:, :, None]


def recode(blocks: Floats, packed: Bytes, levels: int) -> Bytes:
    """Round float32 ``[n, 256]`` to codes ``[n, 8, 32]`` under the scales as they are stored.

    q = round((x + dmin·m) / (d·sc)): with the rounded scales, or the rounding of the scales would
    be paid for twice. A sub-block whose stored scale is zero has codes of zero.
    """
    scale, minimum = unpack_scales(packed)
    usable = scale > np.float32(0)
    shifted = (blocks.reshape(-1, 8, 32) + minimum) / np.where(usable, scale, np.float32(1))
    return np.where(usable, np.clip(np.rint(shifted), 0, levels), 0).astype(np.uint8)
