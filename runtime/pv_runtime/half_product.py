"""Matrices kept as float16 times vectors of float32, widened on the way and not before.

A float16 is a float32 exactly: nothing is rounded but the sums, which are float32. What is saved is
half of the bytes read, and those are what a product of matrix and vector costs. On one thread: for matrices
that caches hold, for which waking another would take longer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from pv_runtime.compiled import compiled
from pv_runtime.half_precision import widen_half

__all__ = ["half_product", "product"]

_ROWS = 4
"""Rows taken together: memory delivers several streams faster than one."""


@compiled(reassociate=True)
def product(matrix: Any, vector: Any, result: Any) -> None:
    """Write the product of uint16 bits ``[out, in]`` and float32 ``[in]`` to `result`; compiled."""
    rows, columns = matrix.shape
    whole = rows - rows % _ROWS
    for row in range(0, whole, _ROWS):
        first, second, third, fourth = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
        for column in range(columns):
            value = vector[column]
            first += widen_half(matrix[row, column]) * value
            second += widen_half(matrix[row + 1, column]) * value
            third += widen_half(matrix[row + 2, column]) * value
            fourth += widen_half(matrix[row + 3, column]) * value
        result[row], result[row + 1], result[row + 2], result[row + 3] = first, second, third, fourth
    for row in range(whole, rows):
        total = np.float32(0)
        for column in range(columns):
            total += widen_half(matrix[row, column]) * vector[column]
        result[row] = total


def half_product(matrix: Tensor, vector: Tensor) -> Tensor:
    """Return the product of float16 ``[out, in]`` and float32 ``[in]``, on the CPU: float32 ``[out]``."""
    result = torch.empty(matrix.shape[0], dtype=torch.float32)
    product(matrix.numpy().view(np.uint16), vector.contiguous().numpy(), result.numpy())
    return result
