"""Products with a matrix in Q8_0, decoded in registers from the bytes as GGUF has them.

``y_ti = sum_k w_ik x_tk`` with ``w = d q``. A block of 34 bytes has 32 weights of a row: d (float16), then
q (int8).

Source: ggml's ``block_q8_0``. Weights are exact in float32: 11 + 8 bits. Blocks begin at even addresses only,
so that no load of them is wide.

A NaN or an infinity in a token makes what the formula says of its outputs, and touches no other token.
"""

from __future__ import annotations

import triton.language as tl
from torch import Tensor

from pv_kernels.language import jit
from pv_kernels.quantised_gemv import BlockFormat, multiply
from pv_kernels.tuning import Tuning

__all__ = ["Q8_0", "SPACE", "q8_0_gemv", "q8_0_gemv_kernel"]

Q8_0 = BlockFormat("Q8_0", weights=32, bytes=34, alignment=2)

SPACE = (
    Tuning({"row_tile": 4, "block_tile": 16, "token_tile": 1}, warps=4),
    Tuning({"row_tile": 4, "block_tile": 16, "token_tile": 2}, warps=4),
    Tuning({"row_tile": 4, "block_tile": 16, "token_tile": 4}, warps=4),
)
"""The first point that holds the tokens is launched; no time is measured yet."""


@jit
def q8_0_gemv_kernel(
    weight_ptr: tl.tensor,  # [rows, blocks * 34] bytes
    x_ptr: tl.tensor,  # [tokens, blocks * 32]
    out_ptr: tl.tensor,  # [tokens, rows]
    weight_stride: tl.tensor,  # in units of 2 bytes
    x_stride: tl.tensor,
    out_stride: tl.tensor,
    rows: tl.tensor,
    tokens: tl.tensor,
    blocks: tl.tensor,
    row_tile: tl.constexpr,
    block_tile: tl.constexpr,
    token_tile: tl.constexpr,
) -> None:
    """Multiply `row_tile` rows by `token_tile` tokens a program, `block_tile` blocks at a time."""
    # Programs that read the same rows follow each other, so that the second finds them in the cache.
    token_tiles = tl.cdiv(tokens, token_tile)
    row = tl.program_id(0) // token_tiles * row_tile + tl.arange(0, row_tile)
    token = (tl.program_id(0) % token_tiles).to(tl.int64) * token_tile
    last = (
        tokens - 1
    )  # a tile that reaches beyond computes the last token again, and stores the same once more
    lane = tl.arange(0, 32)
    sums: tl.tuple = ()
    for _ in tl.static_range(token_tile):
        sums += (tl.zeros([row_tile, block_tile, 32], dtype=tl.float32),)
    for start in range(0, blocks, block_tile):
        block = start + tl.arange(0, block_tile)
        inside = block < blocks
        there = (row < rows)[:, None] & inside[None, :]
        block_ptr = weight_ptr + row.to(tl.int64)[:, None] * weight_stride * 2 + (block * 34)[None, :]
        code_ptr = (block_ptr[:, :, None] + 2 + lane[None, None, :]).to(tl.pointer_type(tl.int8))
        codes = tl.load(code_ptr, mask=there[:, :, None], other=0)
        d = tl.load(block_ptr.to(tl.pointer_type(tl.float16)), mask=there, other=0.0).to(tl.float32)
        weight = d[:, :, None] * codes.to(tl.float32)
        added: tl.tuple = ()
        for t in tl.static_range(token_tile):
            x_at = x_ptr + tl.minimum(token + t, last) * x_stride + block[:, None] * 32 + lane[None, :]
            x = tl.load(x_at, mask=inside[:, None], other=0.0).to(tl.float32)
            added += (sums[t] + weight * x[None, :, :],)
        sums = added
    for t in tl.static_range(token_tile):
        out = tl.sum(tl.sum(sums[t], axis=2), axis=1)
        out_at = out_ptr + tl.minimum(token + t, last) * out_stride + row
        tl.store(out_at, out.to(out_ptr.dtype.element_ty), mask=row < rows)


def q8_0_gemv(weight: Tensor, x: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Multiply every token of `x` by a matrix in Q8_0.

    Parameters
    ----------
    weight
        uint8 ``[rows, columns / 32 * 34]``, as the file has them; it and its rows begin at even addresses.
    x
        ``[..., columns]`` of float32, float16 or bfloat16; tokens may be further apart than they are long.
    out
        Where to write the result, ``[..., rows]`` of the type of `x`; it shares no memory with `x`.

    Returns
    -------
    Tensor
        ``[..., rows]``. What a token gets does not depend on how many others there are.

    Raises
    ------
    UnknownDtypeError, ShapeError, LayoutError
        See `pv_kernels.errors`.
    """
    return multiply(q8_0_gemv_kernel, Q8_0, SPACE, weight, x, out)
