"""The product of two tiles, summed in float32."""

from __future__ import annotations

import triton.language as tl

from pv_kernels.language import jit

__all__ = ["product"]


@jit
def product(a: tl.tensor, b: tl.tensor, upcast: tl.constexpr) -> tl.tensor:
    """Return ``a b``. `upcast`: the elements are made float32 first, which changes none of their products.

    A GPU multiplies the elements as they are, in its matrix units; the interpreter cannot multiply bfloat16.
    Products of 16-bit elements are exact in float32 either way. float32 is never rounded to tf32.
    """
    if upcast:
        result = tl.dot(a.to(tl.float32), b.to(tl.float32), input_precision="ieee")
    else:
        result = tl.dot(a, b, input_precision="ieee")
    return result
