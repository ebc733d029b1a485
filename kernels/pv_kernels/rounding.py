"""How far rounding may carry a result: the constants from which every tolerance is derived.

Source: N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., SIAM 2002: the model
``fl(x op y) = (x op y)(1 + d), |d| <= u`` (2.4), products of such factors (lemma 3.1), sums in any
order (4.2).
"""

from __future__ import annotations

import math
from typing import TypeVar

import torch
from torch import Tensor

__all__ = ["gamma", "summation_height", "underflow", "unit_roundoff"]

N = TypeVar("N", float, Tensor)


def unit_roundoff(dtype: torch.dtype) -> float:
    """Return u, half the distance from 1 to the next number: the relative error of rounding to nearest."""
    return torch.finfo(dtype).eps / 2


def gamma(operations: N, dtype: torch.dtype = torch.float32) -> N:
    """Return ``n u / (1 - n u)``: the relative error that `operations` roundings after one another can reach.

    Parameters
    ----------
    operations
        A number, or a tensor with one for each element.

    Raises
    ------
    ValueError
        So many that the bound says nothing: ``n u >= 1``.
    """
    product = operations * unit_roundoff(dtype)
    if bool((torch.as_tensor(product) >= 1).any()):
        raise ValueError(f"{operations} roundings to {dtype} can lose every digit; sum in blocks")
    return product / (1 - product)


def underflow(dtype: torch.dtype) -> float:
    """Return the absolute error where a result is too small to be normal.

    Half the spacing of subnormals in `dtype`, to which the result is rounded, and the smallest normal
    float32, below which the mathematics inside may flush to zero (``ex2.approx.ftz``).
    """
    info = torch.finfo(dtype)
    return info.smallest_normal * info.eps / 2 + torch.finfo(torch.float32).smallest_normal


def summation_height(length: int, *, lanes: int = 32) -> int:
    """Return how many additions one term passes through when `length` terms are summed in parallel.

    Higham 4.2: a sum has relative error ``gamma(height)`` against the sum of the terms' magnitudes, whatever
    its order. A GPU sums ``length / lanes`` terms in each of at least `lanes` threads one after another, then
    the lanes in pairs. numpy, under the interpreter, sums blocks of 128 by 8 accumulators and the blocks in
    pairs: 16 + 3 + log2(length / 128). The greater of the two holds for both.
    """
    if length <= 1:
        return 0
    parallel = math.ceil(length / lanes) + math.ceil(math.log2(lanes))
    pairwise = 16 + 3 + max(0, math.ceil(math.log2(length / 128)))
    return min(length - 1, max(parallel, pairwise))
