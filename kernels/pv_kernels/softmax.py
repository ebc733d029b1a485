"""Softmax over rows, in one pass where a row fits a block, otherwise online.

``y_i = exp(x_i - m) / sum_j exp(x_j - m)`` with ``m = max_j x_j``, for each row x.

Source: Milakov and Gimelshein 2018, arXiv:1805.02867, for the running maximum and sum: where a block raises
the maximum from m to n, the sum so far is multiplied by ``exp(m - n)``. The mathematics is float32.

A row with NaN or with an infinity becomes NaN whole, and so does one of nothing but minus infinity. Elsewhere
minus infinity becomes 0. Other rows are not touched.
"""

from __future__ import annotations

import triton.language as tl
from torch import Tensor

from pv_kernels.language import jit
from pv_kernels.operands import buffer, rows, same
from pv_kernels.tuning import Tuning

__all__ = ["ONLINE_SPACE", "WHOLE_SPACE", "choose", "online_softmax_kernel", "softmax", "softmax_kernel"]

WHOLE_SPACE = (
    Tuning({"block": 1024}, warps=4),
    Tuning({"block": 4096}, warps=8),
    Tuning({"block": 16384}, warps=16),
)
ONLINE_SPACE = (Tuning({"block": 4096}, warps=8), Tuning({"block": 8192}, warps=16))


@jit
def softmax_kernel(
    x_ptr: tl.tensor,  # [rows, columns]
    out_ptr: tl.tensor,  # [rows, columns]
    x_stride: tl.tensor,
    out_stride: tl.tensor,
    columns: tl.tensor,
    block: tl.constexpr,
) -> None:
    """Normalise one row a program; it fits the block."""
    row = tl.program_id(0).to(tl.int64)  # rows times stride may pass 2^31
    offsets = tl.arange(0, block)
    mask = offsets < columns
    x = tl.load(x_ptr + row * x_stride + offsets, mask=mask, other=float("-inf")).to(tl.float32)
    shares = tl.exp(x - tl.max(x, axis=0))
    shares = shares / tl.sum(shares, axis=0)
    tl.store(out_ptr + row * out_stride + offsets, shares.to(out_ptr.dtype.element_ty), mask=mask)


@jit
def online_softmax_kernel(
    x_ptr: tl.tensor,  # [rows, columns]
    out_ptr: tl.tensor,  # [rows, columns]
    x_stride: tl.tensor,
    out_stride: tl.tensor,
    columns: tl.tensor,
    block: tl.constexpr,
) -> None:
    """Normalise one row a program, block by block: once for maximum and sum, once for the result."""
    row = tl.program_id(0).to(tl.int64)
    x_ptr += row * x_stride
    out_ptr += row * out_stride
    offsets = tl.arange(0, block)
    # Every lane keeps a maximum and a sum of its own: the lanes meet once, after the loop.
    top = tl.full([block], float("-inf"), dtype=tl.float32)
    total = tl.zeros([block], dtype=tl.float32)
    for start in range(0, columns, block):
        mask = start + offsets < columns
        x = tl.load(x_ptr + start + offsets, mask=mask, other=float("-inf")).to(tl.float32)
        higher = tl.maximum(top, x)
        # Minus infinity less itself is NaN: a lane that has seen nothing else subtracts 0 instead.
        shift = tl.where(higher == float("-inf"), 0.0, higher)
        total = total * tl.exp(top - shift) + tl.exp(x - shift)
        top = higher
    most = tl.max(top, axis=0)
    shift = tl.where(most == float("-inf"), 0.0, most)
    whole = tl.sum(total * tl.exp(top - shift), axis=0)
    for start in range(0, columns, block):
        mask = start + offsets < columns
        x = tl.load(x_ptr + start + offsets, mask=mask, other=float("-inf")).to(tl.float32)
        shares = tl.exp(x - shift) / whole
        tl.store(out_ptr + start + offsets, shares.to(out_ptr.dtype.element_ty), mask=mask)


def choose(columns: int) -> tuple[bool, Tuning]:
    """Return whether a row fits a block, and the smallest that holds it; otherwise one to go on with."""
    whole = next((tuning for tuning in WHOLE_SPACE if tuning.constants["block"] >= columns), None)
    return (True, whole) if whole else (False, ONLINE_SPACE[-1])


def softmax(x: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the softmax of `x` over its last dimension.

    Parameters
    ----------
    x
        ``[..., columns]``; rows may be further apart than they are long.
    out
        Where to write the result; `x` itself is allowed.

    Raises
    ------
    UnknownDtypeError, ShapeError, LayoutError
        See `pv_kernels.errors`.
    """
    same(x=x)
    x_rows = rows("x", x)
    out = buffer("out", out, x)
    out_rows = rows("out", out)
    if out.numel():
        count, columns = x_rows.shape
        fits, tuning = choose(columns)
        kernel = softmax_kernel if fits else online_softmax_kernel
        kernel[(count,)](
            *(x_rows, out_rows, x_rows.stride(0), out_rows.stride(0), columns), **tuning.options()
        )
    return out
