"""Products with a matrix in the layout of a linear layer.

``y_ij = sum_k x_ik w_jk``. Each program computes a tile of the result and walks along k. Products and sums
are float32, never tf32; elements of 16 bits are multiplied by matrix units, which keep their products exact.

Source: programs go by groups of rows of tiles, as in Triton's tutorial on matrix multiplication: those that
run at one time read few rows of either matrix, which the L2 cache then holds.

A NaN or an infinity of x makes what the formula says of its own row and touches no other row; one of w the
same of its column. A sum beyond the range of the elements' type becomes an infinity.

What a row gets does not depend on what the others hold. The tile depends on how many rows there are, and the
order of a sum on the tile: between a row alone and the same row among others, bits may differ.
"""

from __future__ import annotations

import torch
import triton.language as tl
from torch import Tensor

from pv_kernels.errors import LayoutError, ShapeError
from pv_kernels.language import jit
from pv_kernels.operands import buffer, overlap, rows, same
from pv_kernels.product import product
from pv_kernels.tuning import Tuning

__all__ = ["FLOAT32_SPACE", "SPACE", "choose", "launch", "matmul", "matmul_kernel"]


def _tile(rows: int, outputs: int, columns: int, *, warps: int, stages: int) -> Tuning:
    tile = {"row_tile": rows, "output_tile": outputs, "column_tile": columns}
    return Tuning({**tile, "group": 8}, warps=warps, stages=stages)


SPACE = (
    _tile(16, 32, 256, warps=4, stages=4),
    _tile(64, 128, 64, warps=4, stages=4),
    _tile(128, 128, 64, warps=8, stages=3),
    _tile(128, 256, 64, warps=8, stages=3),
)
"""For elements of 16 bits, smallest first. The last takes 96 KiB of 99 of shared memory on sm_89."""
FLOAT32_SPACE = (
    _tile(16, 32, 64, warps=4, stages=3),
    _tile(64, 64, 16, warps=8, stages=3),
    _tile(128, 128, 16, warps=8, stages=3),
)
"""For float32, which matrix units do not multiply: columns are few, or registers would be spilled."""
_BUSY = 128
"""Programs that keep a large GPU busy: an H100 has 132 multiprocessors, an A100 108, an RTX 4090 128."""


@jit
def tile_of(
    program: tl.tensor, row_tiles: tl.tensor, output_tiles: tl.tensor, group: tl.constexpr
) -> tuple[tl.tensor, tl.tensor]:
    """Return which row and which column of tiles a program computes: arithmetic that Python does as well."""
    in_group = group * output_tiles
    first = program // in_group * group
    height = min(row_tiles - first, group)  # the last group may be lower
    place = program % in_group
    return first + place % height, place // height


@jit
def matmul_kernel(
    x_ptr: tl.tensor,  # [rows, columns]
    weight_ptr: tl.tensor,  # [outputs, columns]
    out_ptr: tl.tensor,  # [rows, outputs]
    x_stride: tl.tensor,
    weight_stride: tl.tensor,
    out_stride: tl.tensor,
    rows: tl.tensor,
    outputs: tl.tensor,
    columns: tl.tensor,
    row_tile: tl.constexpr,
    output_tile: tl.constexpr,
    column_tile: tl.constexpr,
    group: tl.constexpr,
    upcast: tl.constexpr,
) -> None:
    """Compute one tile; `group` rows of tiles are finished, column by column, before the next begin."""
    row_of, output_of = tile_of(
        tl.program_id(0), tl.cdiv(rows, row_tile), tl.cdiv(outputs, output_tile), group
    )
    row = row_of * row_tile + tl.arange(0, row_tile)
    output = output_of * output_tile + tl.arange(0, output_tile)
    column = tl.arange(0, column_tile)
    row_there = (row < rows)[:, None]
    output_there = (output < outputs)[None, :]
    # rows times stride may pass 2^31
    x_at = x_ptr + row.to(tl.int64)[:, None] * x_stride + column[None, :]
    weight_at = weight_ptr + output.to(tl.int64)[None, :] * weight_stride + column[:, None]
    total = tl.zeros([row_tile, output_tile], dtype=tl.float32)
    for start in range(0, columns, column_tile):
        inside = column < columns - start
        x = tl.load(x_at, mask=row_there & inside[None, :], other=0.0)
        weight = tl.load(weight_at, mask=output_there & inside[:, None], other=0.0)
        total += product(x, weight, upcast)
        x_at += column_tile
        weight_at += column_tile
    out_at = out_ptr + row.to(tl.int64)[:, None] * out_stride + output[None, :]
    tl.store(out_at, total.to(out_ptr.dtype.element_ty), mask=row_there & output_there)


def choose(rows: int, outputs: int, dtype: torch.dtype) -> Tuning:
    """Return the largest tile that rows fill by half and that leaves no large GPU idle.

    Up to 16 rows take the smallest, whatever else: there all time goes into reading the matrix once.
    """
    space: tuple[Tuning, ...] = FLOAT32_SPACE if dtype == torch.float32 else SPACE
    if rows <= space[0].constants["row_tile"]:
        return space[0]
    for tuning in reversed(space[2:]):
        filled = rows > tuning.constants["row_tile"] // 2
        if filled and programs(tuning, rows, outputs) >= _BUSY:
            return tuning
    return space[1]


def programs(tuning: Tuning, rows: int, outputs: int) -> int:
    """Return how many tiles of `tuning` cover ``[rows, outputs]``."""
    return -(-rows // tuning.constants["row_tile"]) * -(-outputs // tuning.constants["output_tile"])


def launch(tuning: Tuning, x: Tensor, weight: Tensor, out: Tensor) -> None:
    """Write ``x weight^T`` to `out`: all two-dimensional and checked, nothing empty but the columns."""
    (count, columns), outputs = x.shape, len(weight)
    matmul_kernel[(programs(tuning, count, outputs),)](
        *(x, weight, out, x.stride(0), weight.stride(0), out.stride(0), count, outputs, columns),
        upcast=x.dtype == torch.float32 or not x.is_cuda,
        **tuning.options(),
    )


def matmul(x: Tensor, weight: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Multiply every row of `x` by a matrix.

    Parameters
    ----------
    x
        ``[..., columns]``; rows may be further apart than they are long.
    weight
        ``[outputs, columns]``, of the type of `x`; rows may be further apart than they are long.
    out
        Where to write the result, ``[..., outputs]`` of the type of `x`; it shares no memory with either.

    Returns
    -------
    Tensor
        ``[..., outputs]``; zeros where there are no columns.

    Raises
    ------
    UnknownDtypeError, ShapeError, LayoutError
        See `pv_kernels.errors`.
    """
    dtype = same(x=x, weight=weight)
    flat = rows("x", x)
    if weight.ndim != 2 or weight.shape[1] != x.shape[-1]:
        raise ShapeError(
            f"weight is {list(weight.shape)}; wanted is [outputs, {x.shape[-1]}], as many columns as x has"
        )
    matrix = rows("weight", weight)
    outputs = len(matrix)
    out = buffer("out", out, torch.empty((*x.shape[:-1], outputs), dtype=dtype, device=x.device))
    for name, operand in (("x", x), ("weight", weight)):
        if overlap(out, operand):
            raise LayoutError(f"out shares memory with {name}, which is read until the end; give another")
    flat_out = rows("out", out)
    if out.numel():
        launch(choose(len(flat), outputs, dtype), flat, matrix, flat_out)
    return out
