"""How far two arrays of the same shape are apart. Every figure fails closed on what is not finite."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pv_runtime.quant.scheme import Floats

__all__ = ["cosine", "differing_elements", "max_abs_difference", "relative_rmse"]

_CHUNK = 1 << 20
"""Elements widened to float64 at a time."""


def _chunks(a: Floats, b: Floats) -> Iterator[tuple[Floats, Floats]]:
    if a.shape != b.shape:
        raise ValueError(f"shapes differ: {a.shape} and {b.shape}")
    left, right = a.reshape(-1), b.reshape(-1)
    for start in range(0, left.size, _CHUNK):
        yield left[start : start + _CHUNK], right[start : start + _CHUNK]


def _moments(a: Floats, b: Floats) -> tuple[float, float, float, float]:
    """Return Σa², Σb², Σab and Σ(a-b)² in float64."""
    sums = np.zeros(4)
    with np.errstate(invalid="ignore", over="ignore"):
        for left, right in _chunks(a, b):
            x: NDArray[np.float64] = left.astype(np.float64)
            y: NDArray[np.float64] = right.astype(np.float64)
            difference = x - y
            sums += [x @ x, y @ y, x @ y, difference @ difference]
    aa, bb, ab, dd = (float(value) for value in sums)
    return aa, bb, ab, dd


def cosine(a: Floats, b: Floats) -> float:
    """Cosine of the angle between two arrays, Σab / sqrt(Σa²·Σb²), in float64.

    Rounding may carry it past 1 by some 1e-15. A side of norm zero has no direction: NaN, even
    where both are zero; so has a side with a value that is not finite.

    Raises
    ------
    ValueError
        The shapes differ.
    """
    aa, bb, ab, _ = _moments(a, b)
    product = math.sqrt(aa) * math.sqrt(bb)
    return ab / product if product > 0 and math.isfinite(product) else math.nan


def relative_rmse(reference: Floats, other: Floats) -> float:
    """Root-mean-square difference relative to the reference, sqrt(Σ(a-b)² / Σa²), in float64.

    NaN where the reference's norm is zero or a value is not finite.

    Raises
    ------
    ValueError
        The shapes differ.
    """
    aa, _, _, dd = _moments(reference, other)
    return math.sqrt(dd / aa) if aa > 0 and math.isfinite(aa) and math.isfinite(dd) else math.nan


def differing_elements(a: Floats, b: Floats) -> int:
    """Count the elements whose bits differ after rounding both sides to fp16.

    An element that is not finite on either side, before or after rounding, counts as different;
    so does +0 beside -0.

    Raises
    ------
    ValueError
        The shapes differ.
    """
    count = 0
    with np.errstate(invalid="ignore", over="ignore"):
        for left, right in _chunks(a, b):
            x, y = left.astype(np.float16), right.astype(np.float16)
            count += int(np.count_nonzero((x.view(np.uint16) != y.view(np.uint16)) | ~np.isfinite(x)))
    return count


def max_abs_difference(a: Floats, b: Floats) -> float:
    """Largest max|a-b|; NaN where a difference is not a number or there is no element.

    Raises
    ------
    ValueError
        The shapes differ.
    """
    largest = -math.inf
    with np.errstate(invalid="ignore", over="ignore"):
        for left, right in _chunks(a, b):
            found = float(np.max(np.abs(left.astype(np.float64) - right.astype(np.float64))))
            if math.isnan(found):
                return math.nan
            largest = max(largest, found)
    return largest if largest >= 0 else math.nan
