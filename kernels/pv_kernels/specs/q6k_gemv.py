"""What is claimed of the product with a matrix in Q6_K."""

from __future__ import annotations

from pv_kernels.q6k_gemv import Q6_K, SPACE, q6k_gemv, q6k_gemv_kernel
from pv_kernels.spec import Program
from pv_kernels.specs.quantised_gemv import SIGNATURE, gemv_spec

__all__ = ["Q6K_GEMV"]

Q6K_GEMV = gemv_spec(
    "q6k_gemv",
    Q6_K,
    q6k_gemv,
    Program(q6k_gemv_kernel, SIGNATURE, SPACE),
    tile=1024,
    lanes=256,
)
