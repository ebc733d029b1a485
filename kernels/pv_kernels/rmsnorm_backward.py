"""The gradient of RMSNorm.

For ``y_i = x_i r w_i`` with ``r = 1 / sqrt(mean_j(x_j^2) + eps)`` and dy, the derivative of what is minimised
by y: ``dx_i = r (dy_i w_i - x_i r^2 mean_j(dy_j w_j x_j))`` in each row, and ``dw_i = sum dy_i x_i r`` over
rows.

Source: Zhang and Sennrich 2019, arXiv:1910.07467, derived. The mathematics is float32 whatever the elements
are, and r is computed again rather than kept. Each program sums the weights' gradient over rows of its own,
and a second kernel adds those sums up in a fixed order: nothing is added atomically, so that two runs agree
in every bit. How many programs there are depends on the number of rows alone, never on the device.

A NaN in a row of x or dy makes its dx NaN whole, and so does an infinity in x; one in dy makes dx NaN there
and infinite elsewhere. Other rows' dx is not touched. dw is NaN at every column if x has a NaN; a NaN in dy
and an infinity in x make it NaN at their column, an infinity in dy infinite.
"""

from __future__ import annotations

import torch
import triton.language as tl
from torch import Tensor

from pv_kernels.errors import ShapeError
from pv_kernels.language import jit
from pv_kernels.operands import buffer, rows, same, same_shape
from pv_kernels.rmsnorm import check_weight
from pv_kernels.tuning import Tuning

__all__ = [
    "SPACE",
    "SUM_SPACE",
    "choose",
    "programs",
    "rms_norm_backward",
    "rms_norm_backward_kernel",
    "sum_rows_kernel",
]

SPACE = (
    Tuning({"block": 1024}, warps=4),
    Tuning({"block": 4096}, warps=8),
    Tuning({"block": 8192}, warps=16),
)
"""A row fits the block, and the sum of a program's rows lies in registers beside it."""
SUM_SPACE = (Tuning({"block": 128, "tile": 16}, warps=4),)
PROGRAMS = 256
"""How many programs the rows are shared among at most: about two for each multiprocessor of a large GPU."""
ROWS = 4
"""How many rows a program has at least, where there are as many: its sum is written and read again."""


@jit
def rms_norm_backward_kernel(
    dy_ptr: tl.tensor,  # [rows, columns]
    x_ptr: tl.tensor,  # [rows, columns]
    weight_ptr: tl.tensor,  # [columns]
    dx_ptr: tl.tensor,  # [rows, columns]
    sums_ptr: tl.tensor,  # [programs, columns], float32
    dy_stride: tl.tensor,
    x_stride: tl.tensor,
    dx_stride: tl.tensor,
    row_count: tl.tensor,
    columns: tl.tensor,
    eps: tl.float32,
    block: tl.constexpr,
) -> None:
    """Compute every row whose number is the program's, modulo the number of programs."""
    offsets = tl.arange(0, block)
    mask = offsets < columns
    weight = tl.load(weight_ptr + offsets, mask=mask, other=0.0).to(tl.float32)
    sums = tl.zeros([block], dtype=tl.float32)
    first = tl.program_id(0).to(tl.int64)  # rows times stride may pass 2^31
    for further in range(0, row_count - tl.program_id(0), tl.num_programs(0)):
        row = first + further
        dy = tl.load(dy_ptr + row * dy_stride + offsets, mask=mask, other=0.0).to(tl.float32)
        x = tl.load(x_ptr + row * x_stride + offsets, mask=mask, other=0.0).to(tl.float32)
        scale = tl.rsqrt(tl.sum(x * x, axis=0) / columns + eps)
        normal = x * scale
        slope = dy * weight
        along = tl.sum(slope * normal, axis=0) / columns
        dx = (slope - normal * along) * scale
        tl.store(dx_ptr + row * dx_stride + offsets, dx.to(dx_ptr.dtype.element_ty), mask=mask)
        sums += dy * normal
    tl.store(sums_ptr + tl.program_id(0).to(tl.int64) * columns + offsets, sums, mask=mask)


@jit
def sum_rows_kernel(
    sums_ptr: tl.tensor,  # [parts, columns], float32
    out_ptr: tl.tensor,  # [columns]
    parts: tl.tensor,
    columns: tl.tensor,
    block: tl.constexpr,
    tile: tl.constexpr,
) -> None:
    """Add the rows of one block of columns up, `tile` rows at a time."""
    column = tl.program_id(0) * block + tl.arange(0, block)
    total = tl.zeros([tile, block], dtype=tl.float32)
    for start in range(0, parts, tile):
        row = start + tl.arange(0, tile)
        mask = (row < parts)[:, None] & (column < columns)[None, :]
        total += tl.load(sums_ptr + row[:, None] * columns + column[None, :], mask=mask, other=0.0)
    summed = tl.sum(total, axis=0)
    tl.store(out_ptr + column, summed.to(out_ptr.dtype.element_ty), mask=column < columns)


def choose(columns: int) -> Tuning:
    """Return the smallest configuration that holds a row.

    Raises
    ------
    ShapeError
        None does.
    """
    fitting = next((tuning for tuning in SPACE if tuning.constants["block"] >= columns), None)
    if fitting is None:
        raise ShapeError(f"rows of {columns} columns; the largest block holds {SPACE[-1].constants['block']}")
    return fitting


def programs(row_count: int) -> int:
    """Return how many programs share the rows."""
    return min(-(-row_count // ROWS), PROGRAMS)


def rms_norm_backward(
    dy: Tensor,
    x: Tensor,
    weight: Tensor,
    eps: float,
    *,
    dx: Tensor | None = None,
    dweight: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the gradients of `x` and `weight`.

    Parameters
    ----------
    dy
        ``[..., columns]``: the gradient of ``rms_norm(x, weight, eps)``; at most 8192 columns.
    x, weight, eps
        What it was computed of, as in `pv_kernels.rmsnorm.rms_norm`.
    dx, dweight
        Where to write the results, the latter contiguous; `dy` or `x` itself is allowed as `dx`.

    Raises
    ------
    UnknownDtypeError, ShapeError, LayoutError, ValueRangeError
        See `pv_kernels.errors`.
    """
    same(dy=dy, x=x, weight=weight)
    check_weight(x, weight, eps)
    same_shape(dy=dy, x=x)
    dx, dweight = buffer("dx", dx, x), buffer("dweight", dweight, weight)
    check_weight(x, dweight, eps, name="dweight")
    dy_rows, x_rows, dx_rows = rows("dy", dy), rows("x", x), rows("dx", dx)
    count, columns = x_rows.shape
    tuning = choose(columns)
    if columns:
        parts = programs(count)
        sums = torch.empty(parts, columns, dtype=torch.float32, device=x.device)
        if count:
            rms_norm_backward_kernel[(parts,)](
                *(dy_rows, x_rows, weight, dx_rows, sums),
                *(dy_rows.stride(0), x_rows.stride(0), dx_rows.stride(0), count, columns, eps),
                **tuning.options(),
            )
        (summing,) = SUM_SPACE
        blocks = -(-columns // summing.constants["block"])
        sum_rows_kernel[(blocks,)](sums, dweight, parts, columns, **summing.options())
    return dx, dweight
