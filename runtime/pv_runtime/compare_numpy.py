"""The same window of a comparison in numpy, for hosts without numba: slower, the same figures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pv_runtime.formats.checkpoint import TensorInfo, decode
from pv_runtime.quant.scheme import Bytes, Floats

__all__ = ["compare_window"]

_CHUNK = 1 << 17
_PLAIN = ("F32", "F16", "BF16")


def compare_window(
    raw_a: Bytes, dtype_a: str, raw_b: Bytes, dtype_b: str, elements: int,
    rounding: int, block: int, block_bytes: int, sums: NDArray[np.float64], counts: NDArray[np.int64],
) -> None:  # fmt: skip
    """Do what `pv_runtime.compare_kernels.compare_window` says, dtypes given by name."""
    if block_bytes:
        differing = (raw_a != raw_b).reshape(-1, block_bytes).any(axis=1)
        counts[4] += np.count_nonzero(differing)
    for start in range(0, elements, _CHUNK):
        count = min(_CHUNK, elements - start)
        x = _values(raw_a, dtype_a, elements, start, count)
        y = _values(raw_b, dtype_b, elements, start, count)
        with np.errstate(invalid="ignore", over="ignore"):
            _accumulate(x, y, start, sums, counts)
            agree = _rounded(x, rounding) == _rounded(y, rounding)
        agree &= np.isfinite(x) & np.isfinite(y)
        counts[3] += np.count_nonzero(agree)
        if counts[6] < 0 and not agree.all():
            counts[6] = start + int(np.argmin(agree))
        if block and not block_bytes:
            padded = np.concatenate([agree, np.ones(-count % block, np.bool_)])
            counts[4] += np.count_nonzero(~padded.reshape(-1, block).all(axis=1))
        if dtype_a == dtype_b and dtype_a in _PLAIN and np.isfinite(x).all() and np.isfinite(y).all():
            counts[7] = max(counts[7], _ulps(x, y, dtype_a))


def _values(raw: Bytes, dtype: str, elements: int, start: int, count: int) -> Floats:
    """Decode `count` elements of a window of `elements`."""
    first, last = (place * raw.nbytes // elements for place in (start, start + count))
    return decode(TensorInfo("window", dtype, (count,), last - first), raw[first:last], "")


def _accumulate(
    x: Floats, y: Floats, start: int, sums: NDArray[np.float64], counts: NDArray[np.int64]
) -> None:
    a, b = x.astype(np.float64), y.astype(np.float64)
    difference = a - b
    apart = np.abs(difference)
    sums[:5] += [a @ a, b @ b, a @ b, difference @ difference, apart.sum()]
    finite_x, finite_y = np.isfinite(x), np.isfinite(y)
    counts[0] += np.count_nonzero(~finite_x)
    counts[1] += np.count_nonzero(~finite_y)
    counts[2] += np.count_nonzero((x.view(np.uint32) == y.view(np.uint32)) & finite_x & finite_y)
    place = int(np.argmax(apart))  # the first NaN, where there is one
    largest = float(apart[place])
    if largest > sums[5] or (np.isnan(largest) and not np.isnan(sums[5])):
        sums[5], counts[5] = largest, start + place


def _rounded(values: Floats, rounding: int) -> NDArray[np.uint32] | NDArray[np.uint16]:
    """Bits after rounding to F16 (1), BF16 (2) or not at all (0), to nearest, ties to even."""
    if rounding == 1:
        return values.astype(np.float16).view(np.uint16)
    bits = values.view(np.uint32)
    if rounding == 2:
        return ((bits + np.uint32(0x7FFF) + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    return bits


def _ulps(x: Floats, y: Floats, dtype: str) -> int:
    """Largest distance in units in the last place of `dtype`, through integers in the order of the values."""
    if dtype == "F16":
        keys = [side.astype(np.float16).view(np.int16).astype(np.int64) for side in (x, y)]
        top = 1 << 15
    else:
        keys = [side.view(np.int32).astype(np.int64) >> (16 if dtype == "BF16" else 0) for side in (x, y)]
        top = 1 << (15 if dtype == "BF16" else 31)
    a, b = (np.where(key < 0, -(key + top), key) for key in keys)
    return int(np.max(np.abs(a - b), initial=0))
