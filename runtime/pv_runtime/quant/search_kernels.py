"""The searches of the K-quants, compiled: sixteen sub-blocks at a time, one in each lane; Q8_0's rounding.

Every operation is the one that `affine` and `q6_k` do in numpy, in the same order, sums as balanced
trees included, so that the bytes are the same: compiling changes the speed alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pv_runtime.compiled import compiled

__all__ = ["affine_fits", "byte_codes", "signed_fits"]

_F32 = np.float32
_ZERO = np.float32(0)
_ONE = np.float32(1)
_FLAT = np.float32(1e-15)


@compiled()
def _tree(terms: Any, out: Any) -> None:
    """Sum float32 ``[rows, 16]`` over its rows, a power of two, as a balanced tree; overwrites `terms`."""
    flat = terms.reshape(-1)
    half = len(flat) // 2
    while half >= 16:
        low, high = flat[:half], flat[half : 2 * half]
        for i in range(half):
            low[i] = low[i] + high[i]
        half //= 2
    for lane in range(16):
        out[lane] = flat[lane]


@compiled()
def affine_search(x: Any, levels: int, numerators: Any, scale: Any, minimum: Any) -> None:
    """Fit float32 ``[32, 16]``: scale and minimum (<= 0) of each column, float32 ``[16]``.

    `numerators` holds `levels` as a float32, then those of the candidates.
    """
    top = _F32(levels)
    weight, codes = np.empty((32, 16), np.float32), np.empty((32, 16), np.float32)
    first, second, third = np.empty_like(weight), np.empty_like(weight), np.empty_like(weight)
    sum_w, sum_x = np.empty(16, np.float32), np.empty(16, np.float32)
    sum_q, sum_q2, sum_qx = np.empty(16, np.float32), np.empty(16, np.float32), np.empty(16, np.float32)
    highest, best, inverse = np.empty(16, np.float32), np.empty(16, np.float32), np.empty(16, np.float32)
    fitted, offset, error = np.empty(16, np.float32), np.empty(16, np.float32), np.empty(16, np.float32)
    ranged, solvable = np.empty(16, np.bool_), np.empty(16, np.bool_)
    for i in range(32):
        for lane in range(16):
            first[i, lane] = x[i, lane] * x[i, lane]
    _tree(first, error)
    for lane in range(16):
        error[lane] = np.sqrt(error[lane] / _F32(32))
        highest[lane] = x[0, lane]
        minimum[lane] = min(x[0, lane], _ZERO)
    for i in range(32):
        for lane in range(16):
            weight[i, lane] = error[lane] + abs(x[i, lane])
            highest[lane] = max(highest[lane], x[i, lane])
            minimum[lane] = min(minimum[lane], x[i, lane])
            first[i, lane] = weight[i, lane]
            second[i, lane] = weight[i, lane] * x[i, lane]
    _tree(first, sum_w)
    _tree(second, sum_x)
    for lane in range(16):
        spread = highest[lane] - minimum[lane]
        ranged[lane] = spread > _FLAT
        scale[lane] = spread / top if spread > _FLAT else _ZERO
    for step in range(len(numerators)):
        numerator = numerators[step]
        for lane in range(16):
            spread = highest[lane] - minimum[lane]
            inverse[lane] = numerator / (spread if spread > _FLAT else _ONE)
        for i in range(32):
            for lane in range(16):
                code = np.rint(inverse[lane] * (x[i, lane] - minimum[lane]))
                codes[i, lane] = min(max(code, _ZERO), top)
        if step == 0:
            for lane in range(16):
                fitted[lane] = scale[lane]
                offset[lane] = minimum[lane]
        else:
            for i in range(32):
                for lane in range(16):
                    weighted = weight[i, lane] * codes[i, lane]
                    first[i, lane] = weighted
                    second[i, lane] = weighted * codes[i, lane]
                    third[i, lane] = weighted * x[i, lane]
            _tree(first, sum_q)
            _tree(second, sum_q2)
            _tree(third, sum_qx)
            for lane in range(16):
                determinant = sum_w[lane] * sum_q2[lane] - sum_q[lane] * sum_q[lane]
                solvable[lane] = (determinant > _ZERO) & ranged[lane]
                divisor = determinant if solvable[lane] else _ONE
                factor = (sum_w[lane] * sum_qx[lane] - sum_x[lane] * sum_q[lane]) / divisor
                place = (sum_q2[lane] * sum_x[lane] - sum_q[lane] * sum_qx[lane]) / divisor
                through_zero = sum_qx[lane] / (sum_q2[lane] if sum_q2[lane] > _ZERO else _ONE)
                fitted[lane] = through_zero if place > _ZERO else factor
                offset[lane] = min(place, _ZERO)
        for i in range(32):
            for lane in range(16):
                difference = fitted[lane] * codes[i, lane] + offset[lane] - x[i, lane]
                first[i, lane] = weight[i, lane] * (difference * difference)
        _tree(first, error)
        for lane in range(16):
            if step == 0:
                best[lane] = error[lane]
            elif solvable[lane] and error[lane] < best[lane]:
                best[lane] = error[lane]
                scale[lane] = fitted[lane]
                minimum[lane] = offset[lane]


@compiled()
def signed_search(x: Any, numerators: Any, scale: Any) -> None:
    """Fit float32 ``[16, 16]``: the signed scale of each column, float32 ``[16]``."""
    weight, first, second = (
        np.empty((16, 16), np.float32),
        np.empty((16, 16), np.float32),
        np.empty((16, 16), np.float32),
    )
    extreme, divisor, best = np.empty(16, np.float32), np.empty(16, np.float32), np.empty(16, np.float32)
    sum_xq, sum_q2 = np.empty(16, np.float32), np.empty(16, np.float32)
    for lane in range(16):
        extreme[lane] = x[0, lane]
        best[lane] = scale[lane] = _ZERO
    for i in range(1, 16):
        for lane in range(16):
            extreme[lane] = x[i, lane] if abs(x[i, lane]) > abs(extreme[lane]) else extreme[lane]
    for lane in range(16):
        divisor[lane] = extreme[lane] if abs(extreme[lane]) > _FLAT else _ONE
    for i in range(16):
        for lane in range(16):
            ratio = x[i, lane] / divisor[lane]
            weight[i, lane] = ratio * ratio
    for step in range(len(numerators)):
        for i in range(16):
            for lane in range(16):
                code = np.rint(numerators[step] / divisor[lane] * x[i, lane])
                code = min(max(code, _F32(-32)), _F32(31))
                weighted = weight[i, lane] * code
                first[i, lane] = weighted * x[i, lane]
                second[i, lane] = weighted * code
        _tree(first, sum_xq)
        _tree(second, sum_q2)
        for lane in range(16):
            solvable = (abs(extreme[lane]) > _FLAT) & (sum_q2[lane] > _ZERO)
            fitted = sum_xq[lane] / (sum_q2[lane] if solvable else _ONE)
            gain = fitted * sum_xq[lane]
            if solvable and gain > best[lane]:
                best[lane] = gain
                scale[lane] = fitted


@compiled()
def affine_fits(blocks: Any, levels: int, numerators: Any, scales: Any, minima: Any) -> None:
    """Fit each sub-block of float32 ``[n, 32]``; writes float32 ``[n]``, `minima` as they are subtracted."""
    x = np.empty((32, 16), np.float32)
    scale, minimum = np.empty(16, np.float32), np.empty(16, np.float32)
    for start in range(0, len(blocks), 16):
        lanes = min(16, len(blocks) - start)
        for lane in range(16):
            source = blocks[start + min(lane, lanes - 1)]
            for i in range(32):
                x[i, lane] = source[i]
        affine_search(x, levels, numerators, scale, minimum)
        for lane in range(lanes):
            scales[start + lane] = scale[lane]
            minima[start + lane] = -minimum[lane]


@compiled()
def signed_fits(blocks: Any, numerators: Any, scales: Any) -> None:
    """Fit each sub-block of float32 ``[n, 16]``; writes float32 ``[n]``."""
    x, scale = np.empty((16, 16), np.float32), np.empty(16, np.float32)
    for start in range(0, len(blocks), 16):
        lanes = min(16, len(blocks) - start)
        for lane in range(16):
            source = blocks[start + min(lane, lanes - 1)]
            for i in range(16):
                x[i, lane] = source[i]
        signed_search(x, numerators, scale)
        for lane in range(lanes):
            scales[start + lane] = scale[lane]


@compiled()
def byte_codes(blocks: Any, scales: Any, packed: Any) -> None:
    """Round blocks of 32 finite values, flat float32, to codes; see `pv_runtime.quant.q8_0`.

    Writes float32 ``[n]`` and, in int8 ``[n, 34]``, the 32 codes behind two bytes.
    """
    bits = blocks.view(np.uint32)
    for block in range(len(scales)):
        first = 32 * block
        x, unsigned, codes = blocks[first : first + 32], bits[first : first + 32], packed[block, 2:34]
        largest = np.uint32(0)
        for i in range(32):  # finite magnitudes are ordered as the integers of their bits are
            largest = max(largest, np.uint32(unsigned[i] & np.uint32(0x7FFFFFFF)))
        scale = np.float32(np.uint32(largest).view(np.float32) / _F32(127))
        scales[block] = scale
        inverse = _ONE / scale if scale > _F32(2.0**-127) else _ZERO
        for i in range(32):
            scaled = x[i] * inverse
            magnitude = abs(scaled)
            floor = np.floor(magnitude)
            rounded = np.int32(floor + np.floor(_F32(2) * (magnitude - floor)))
            codes[i] = np.int8(-rounded if scaled < _ZERO else rounded)
