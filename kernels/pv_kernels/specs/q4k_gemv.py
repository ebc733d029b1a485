"""What is claimed of the product with a matrix in Q4_K."""

from __future__ import annotations

from pv_kernels.q4k_gemv import Q4_K, SPACE, q4k_gemv, q4k_gemv_kernel
from pv_kernels.spec import Program
from pv_kernels.specs.quantised_gemv import SIGNATURE, gemv_spec

__all__ = ["Q4K_GEMV"]

Q4K_GEMV = gemv_spec(
    "q4k_gemv",
    Q4_K,
    q4k_gemv,
    Program(q4k_gemv_kernel, SIGNATURE, SPACE, wide_loads=1),
    tile=1024,
    lanes=512,
)
