"""Matrices kept as float16 times vectors of float32, widened on the way and not before.

A float16 is a float32 exactly: nothing is rounded but the sums, which are float32. What is saved is
half of the bytes read, and those are what a product of matrix and vector costs.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pv_runtime.compiled import compiled
from pv_runtime.half_precision import widen_half

__all__ = ["half_product", "product"]

_SHARED = 4 << 20
"""Bytes from which on rows are shared among threads: handing a share over takes some 50 µs."""


@compiled(reassociate=True)
def product(matrix: Any, vector: Any, result: Any) -> None:
    """Write the product of uint16 bits ``[out, in]`` and float32 ``[in]`` to `result`; compiled."""
    for row in range(matrix.shape[0]):
        total = np.float32(0)
        for column in range(matrix.shape[1]):
            total += widen_half(matrix[row, column]) * vector[column]
        result[row] = total


@cache
def _threads(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count)


def half_product(matrix: Tensor, vector: Tensor) -> Tensor:
    """Return the product of float16 ``[out, in]`` and float32 ``[in]``, on the CPU: float32 ``[out]``."""
    rows = matrix.shape[0]
    result = torch.empty(rows, dtype=torch.float32)
    parts = matrix.numpy().view(np.uint16), vector.contiguous().numpy(), result.numpy()
    threads = torch.get_num_threads() if matrix.nbytes >= _SHARED else 1
    if threads == 1:
        product(*parts)
        return result
    shares = [slice(rows * share // threads, rows * (share + 1) // threads) for share in range(threads)]
    others = [
        _threads(threads - 1).submit(product, parts[0][share], parts[1], parts[2][share])
        for share in shares[1:]
    ]
    product(parts[0][shares[0]], parts[1], parts[2][shares[0]])
    wait(others)
    for other in others:
        other.result()
    return result
