"""RMSNorm, and the addition of a residual fused with it.

``y_i = x_i / sqrt(mean_j(x_j^2) + eps) * w_i`` for each row x.

Source: Zhang and Sennrich 2019, arXiv:1910.07467. The mathematics is float32 whatever the elements are, as in
Qwen2 and Llama. The fused kernel rounds the sum to the elements' type before it normalises it, so that the
result is that of adding first and normalising what was stored.

A row with NaN becomes NaN whole. In a row with an infinity, that element becomes NaN and the others 0; a row
whose sum of squares is beyond float32 becomes 0. Other rows are not touched.
"""

from __future__ import annotations

import math

import triton.language as tl
from torch import Tensor

from pv_kernels.errors import LayoutError, ShapeError, ValueRangeError
from pv_kernels.language import jit
from pv_kernels.operands import buffer, rows, same, same_shape
from pv_kernels.tuning import Tuning

__all__ = [
    "LONG_SPACE",
    "WHOLE_SPACE",
    "add_rms_norm",
    "add_rms_norm_kernel",
    "check_weight",
    "choose",
    "rms_norm",
    "rms_norm_kernel",
]

WHOLE_SPACE = (
    Tuning({"block": 1024}, warps=4),
    Tuning({"block": 2048}, warps=4),
    Tuning({"block": 4096}, warps=8),
    Tuning({"block": 8192}, warps=16),
)
"""For a row that fits a block, which is then read once."""
LONG_SPACE = (Tuning({"block": 8192}, warps=16),)
"""For a longer one, which is read twice, the second time from the cache."""


@jit
def rms_norm_kernel(
    x_ptr: tl.tensor,  # [rows, columns]
    weight_ptr: tl.tensor,  # [columns]
    out_ptr: tl.tensor,  # [rows, columns]
    x_stride: tl.tensor,
    out_stride: tl.tensor,
    columns: tl.tensor,
    eps: tl.float32,
    block: tl.constexpr,
    whole: tl.constexpr,
) -> None:
    """Normalise one row a program. `whole`: a row fits the block."""
    row = tl.program_id(0).to(tl.int64)  # rows times stride may pass 2^31
    x_ptr += row * x_stride
    out_ptr += row * out_stride
    offsets = tl.arange(0, block)
    if whole:
        mask = offsets < columns
        x = tl.load(x_ptr + offsets, mask=mask, other=0.0).to(tl.float32)
        weight = tl.load(weight_ptr + offsets, mask=mask, other=0.0).to(tl.float32)
        scale = tl.rsqrt(tl.sum(x * x, axis=0) / columns + eps)
        tl.store(out_ptr + offsets, (x * scale * weight).to(out_ptr.dtype.element_ty), mask=mask)
    else:
        squares = tl.zeros([block], dtype=tl.float32)
        for start in range(0, columns, block):
            mask = start + offsets < columns
            x = tl.load(x_ptr + start + offsets, mask=mask, other=0.0).to(tl.float32)
            squares += x * x
        scale = tl.rsqrt(tl.sum(squares, axis=0) / columns + eps)
        for start in range(0, columns, block):
            mask = start + offsets < columns
            x = tl.load(x_ptr + start + offsets, mask=mask, other=0.0).to(tl.float32)
            weight = tl.load(weight_ptr + start + offsets, mask=mask, other=0.0).to(tl.float32)
            tl.store(out_ptr + start + offsets, (x * scale * weight).to(out_ptr.dtype.element_ty), mask=mask)


@jit
def add_rms_norm_kernel(
    x_ptr: tl.tensor,  # [rows, columns]
    residual_ptr: tl.tensor,  # [rows, columns]
    weight_ptr: tl.tensor,  # [columns]
    out_ptr: tl.tensor,  # [rows, columns]
    sum_ptr: tl.tensor,  # [rows, columns]
    x_stride: tl.tensor,
    residual_stride: tl.tensor,
    out_stride: tl.tensor,
    sum_stride: tl.tensor,
    columns: tl.tensor,
    eps: tl.float32,
    block: tl.constexpr,
    whole: tl.constexpr,
) -> None:
    """Add, store and normalise one row a program. `whole`: a row fits the block."""
    row = tl.program_id(0).to(tl.int64)
    x_ptr += row * x_stride
    residual_ptr += row * residual_stride
    out_ptr += row * out_stride
    sum_ptr += row * sum_stride
    offsets = tl.arange(0, block)
    if whole:
        mask = offsets < columns
        x = tl.load(x_ptr + offsets, mask=mask, other=0.0).to(tl.float32)
        residual = tl.load(residual_ptr + offsets, mask=mask, other=0.0).to(tl.float32)
        weight = tl.load(weight_ptr + offsets, mask=mask, other=0.0).to(tl.float32)
        stored = (x + residual).to(sum_ptr.dtype.element_ty)
        tl.store(sum_ptr + offsets, stored, mask=mask)
        total = stored.to(tl.float32)
        scale = tl.rsqrt(tl.sum(total * total, axis=0) / columns + eps)
        tl.store(out_ptr + offsets, (total * scale * weight).to(out_ptr.dtype.element_ty), mask=mask)
    else:
        squares = tl.zeros([block], dtype=tl.float32)
        for start in range(0, columns, block):
            mask = start + offsets < columns
            x = tl.load(x_ptr + start + offsets, mask=mask, other=0.0).to(tl.float32)
            residual = tl.load(residual_ptr + start + offsets, mask=mask, other=0.0).to(tl.float32)
            stored = (x + residual).to(sum_ptr.dtype.element_ty)
            total = stored.to(tl.float32)
            squares += total * total
        scale = tl.rsqrt(tl.sum(squares, axis=0) / columns + eps)
        for start in range(0, columns, block):
            mask = start + offsets < columns
            # Added once more rather than read back: no store is waited for. Each block is read before it is
            # written, so that the buffer of the sum may be that of an input.
            x = tl.load(x_ptr + start + offsets, mask=mask, other=0.0).to(tl.float32)
            residual = tl.load(residual_ptr + start + offsets, mask=mask, other=0.0).to(tl.float32)
            weight = tl.load(weight_ptr + start + offsets, mask=mask, other=0.0).to(tl.float32)
            stored = (x + residual).to(sum_ptr.dtype.element_ty)
            tl.store(sum_ptr + start + offsets, stored, mask=mask)
            total = stored.to(tl.float32)
            tl.store(
                out_ptr + start + offsets, (total * scale * weight).to(out_ptr.dtype.element_ty), mask=mask
            )


def choose(columns: int) -> tuple[bool, Tuning]:
    """Return whether a row fits a block, and the smallest that holds it; otherwise the one to go on with."""
    whole = next((tuning for tuning in WHOLE_SPACE if tuning.constants["block"] >= columns), None)
    return (True, whole) if whole else (False, LONG_SPACE[-1])


def rms_norm(x: Tensor, weight: Tensor, eps: float, *, out: Tensor | None = None) -> Tensor:
    """Normalise the rows of `x`.

    Parameters
    ----------
    x
        ``[..., columns]``; rows may be further apart than they are long, elements may not.
    weight
        ``[columns]``, of the same type.
    eps
        Added to the mean square; positive.
    out
        Where to write the result; `x` itself is allowed.

    Raises
    ------
    UnknownDtypeError, ShapeError, LayoutError, ValueRangeError
        See `pv_kernels.errors`.
    """
    same(x=x, weight=weight)
    check_weight(x, weight, eps)
    out = buffer("out", out, x)
    x_rows, out_rows = rows("x", x), rows("out", out)
    if out.numel():
        columns = x.shape[-1]
        whole, tuning = choose(columns)
        rms_norm_kernel[(x_rows.shape[0],)](
            *(x_rows, weight, out_rows, x_rows.stride(0), out_rows.stride(0), columns, eps),
            whole=whole,
            **tuning.options(),
        )
    return out


def add_rms_norm(
    x: Tensor,
    residual: Tensor,
    weight: Tensor,
    eps: float,
    *,
    out: Tensor | None = None,
    sum_out: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return ``rms_norm(x + residual)`` and ``x + residual``.

    Parameters
    ----------
    x, residual
        ``[..., columns]`` each, of the same shape and type.
    weight, eps
        As in `rms_norm`.
    out, sum_out
        Where to write the results; `residual` itself is allowed as `sum_out`, the usual way.

    Raises
    ------
    UnknownDtypeError, ShapeError, LayoutError, ValueRangeError
        See `pv_kernels.errors`.
    """
    same(x=x, residual=residual, weight=weight)
    check_weight(x, weight, eps)
    same_shape(x=x, residual=residual)
    out, sum_out = buffer("out", out, x), buffer("sum_out", sum_out, x)
    given = [rows("x", x), rows("residual", residual)]
    made = [rows("out", out), rows("sum_out", sum_out)]
    if out.numel():
        columns = x.shape[-1]
        whole, tuning = choose(columns)
        strides = (tensor.stride(0) for tensor in (*given, *made))
        add_rms_norm_kernel[(given[0].shape[0],)](
            *(*given, weight, *made, *strides, columns, eps), whole=whole, **tuning.options()
        )
    return out, sum_out


def check_weight(x: Tensor, weight: Tensor, eps: float, *, name: str = "weight") -> None:
    """Refuse a `weight`, or what is called `name`, that is not one for each column of `x`, and a bad `eps`.

    Raises
    ------
    ShapeError, LayoutError, ValueRangeError
        See `pv_kernels.errors`.
    """
    if x.ndim == 0 or weight.shape != x.shape[-1:]:
        raise ShapeError(f"{name} is {list(weight.shape)}; wanted is one of each column of x {list(x.shape)}")
    if not weight.is_contiguous():
        raise LayoutError(
            f"{name}: its elements lie {weight.stride(0)} apart; call .contiguous() on it first"
        )
    if not (eps > 0 and math.isfinite(eps)):
        raise ValueRangeError(
            f"eps is {eps}; wanted is a positive number, or a row of zeros is divided by zero"
        )
