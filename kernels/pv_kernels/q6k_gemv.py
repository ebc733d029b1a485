"""Products with a matrix in Q6_K, decoded in registers from the bytes as GGUF has them.

``y_ti = sum_k w_ik x_tk`` with ``w = d sc (q - 32)``. A block of 210 bytes has 256 weights of a row: 128
bytes with the low nibbles of q, 64 with its high two bits, 16 scales (int8, for 16 weights each), and d
(float16) at the end. In each half of a block, byte l of 32 has the bits of weights l, l + 32, l + 64 and
l + 96.

Source: ggml's ``block_q6_K``. Weights are exact in float32: 11 + 7 + 5 bits. Blocks begin at even addresses
only, so that no load of them is wide.

A NaN or an infinity in a token makes what the formula says of its outputs, and touches no other token.
"""

from __future__ import annotations

import triton.language as tl
from torch import Tensor

from pv_kernels.language import jit
from pv_kernels.quantised_gemv import BlockFormat, multiply
from pv_kernels.tuning import Tuning

__all__ = ["Q6_K", "SPACE", "q6k_gemv", "q6k_gemv_kernel"]

Q6_K = BlockFormat("Q6_K", weights=256, bytes=210, alignment=2)

SPACE = (
    Tuning({"row_tile": 4, "half_tile": 8, "token_tile": 1}, warps=4),
    Tuning({"row_tile": 4, "half_tile": 8, "token_tile": 2}, warps=4),
    Tuning({"row_tile": 4, "half_tile": 8, "token_tile": 4}, warps=4),
)
"""The first point that holds the tokens is launched; no time is measured yet."""


@jit
def q6k_gemv_kernel(
    weight_ptr: tl.tensor,  # [rows, blocks * 210] bytes
    x_ptr: tl.tensor,  # [tokens, blocks * 256]
    out_ptr: tl.tensor,  # [tokens, rows]
    weight_stride: tl.tensor,  # in units of 2 bytes
    x_stride: tl.tensor,
    out_stride: tl.tensor,
    rows: tl.tensor,
    tokens: tl.tensor,
    blocks: tl.tensor,
    row_tile: tl.constexpr,
    half_tile: tl.constexpr,
    token_tile: tl.constexpr,
) -> None:
    """Multiply `row_tile` rows by `token_tile` tokens a program, `half_tile` halves of blocks at a time."""
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
        sums += (tl.zeros([row_tile, half_tile, 32], dtype=tl.float32),)
    for start in range(0, 2 * blocks, half_tile):
        half = start + tl.arange(0, half_tile)
        inside = half < 2 * blocks
        there = (row < rows)[:, None] & inside[None, :]
        block_ptr = weight_ptr + row.to(tl.int64)[:, None] * weight_stride * 2 + (half // 2 * 210)[None, :]
        which = (half % 2)[None, :, None]
        mask = there[:, :, None]
        bytes_ptr = block_ptr[:, :, None] + lane[None, None, :]
        first = tl.load(bytes_ptr + which * 64, mask=mask, other=0)
        second = tl.load(bytes_ptr + which * 64 + 32, mask=mask, other=0)
        high = tl.load(bytes_ptr + which * 32 + 128, mask=mask, other=0)
        d = tl.load((block_ptr + 208).to(tl.pointer_type(tl.float16)), mask=there, other=0.0).to(tl.float32)
        added = sums
        for quarter in tl.static_range(4):
            low = first if quarter % 2 == 0 else second
            q = (low >> (quarter // 2 * 4) & 15) | (high >> (2 * quarter) & 3) << 4
            scale_ptr = block_ptr[:, :, None] + which * 8 + (192 + 2 * quarter + lane // 16)[None, None, :]
            scale = tl.load(scale_ptr.to(tl.pointer_type(tl.int8)), mask=mask, other=0).to(tl.float32)
            weight = d[:, :, None] * scale * (q.to(tl.float32) - 32.0)
            after: tl.tuple = ()
            for t in tl.static_range(token_tile):
                x_at = x_ptr + tl.minimum(token + t, last) * x_stride + half[:, None] * 128 + lane[None, :]
                x = tl.load(x_at + 32 * quarter, mask=inside[:, None], other=0.0).to(tl.float32)
                after += (added[t] + weight * x[None, :, :],)
            added = after
        sums = added
    for t in tl.static_range(token_tile):
        out = tl.sum(tl.sum(sums[t], axis=2), axis=1)
        out_at = out_ptr + tl.minimum(token + t, last) * out_stride + row
        tl.store(out_at, out.to(out_ptr.dtype.element_ty), mask=row < rows)


def q6k_gemv(weight: Tensor, x: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Multiply every token of `x` by a matrix in Q6_K.

    Parameters
    ----------
    weight
        uint8 ``[rows, columns / 256 * 210]``, as the file has them; it and its rows begin at even addresses.
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
    return multiply(q6k_gemv_kernel, Q6_K, SPACE, weight, x, out)
