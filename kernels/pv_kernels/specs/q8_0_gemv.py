"""What is claimed of the product with a matrix in Q8_0."""

from __future__ import annotations

from pv_kernels.q8_0_gemv import Q8_0, SPACE, q8_0_gemv, q8_0_gemv_kernel
from pv_kernels.spec import Program
from pv_kernels.specs.quantised_gemv import SIGNATURE, gemv_spec

__all__ = ["Q8_0_GEMV"]

Q8_0_GEMV = gemv_spec(
    "q8_0_gemv",
    Q8_0,
    q8_0_gemv,
    Program(q8_0_gemv_kernel, SIGNATURE, SPACE),
    tile=512,
    lanes=512,
)
