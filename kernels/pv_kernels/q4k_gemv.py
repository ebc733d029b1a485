"""Products with a matrix in Q4_K, decoded in registers from the bytes as GGUF has them.

``y_ti = sum_k w_ik x_tk`` with ``w = (d sc) q - (dmin m)``. A block of 144 bytes has 256 weights of a row: d
and dmin (float16), 8 scales and 8 minima of 6 bits in 12 bytes, and 128 bytes of nibbles. The nibbles come in
4 groups of 32 bytes: the low ones are 32 weights that follow each other, the high ones the next 32.

Source: ggml's ``block_q4_K``. ``(d sc) q`` is exact in float32 (11 + 6 + 4 bits), so that each weight is the
one that decoding in float32 gives, bit for bit, whether or not the subtraction is fused.

A NaN or an infinity in a token makes what the formula says of its outputs, and touches no other token.
"""

from __future__ import annotations

import triton.language as tl
from torch import Tensor

from pv_kernels.language import jit
from pv_kernels.quantised_gemv import BlockFormat, multiply
from pv_kernels.tuning import Tuning

__all__ = ["Q4_K", "SPACE", "q4k_gemv", "q4k_gemv_kernel"]

Q4_K = BlockFormat("Q4_K", weights=256, bytes=144, alignment=16)

SPACE = (
    Tuning({"row_tile": 4, "group_tile": 16, "token_tile": 1}, warps=4),
    Tuning({"row_tile": 4, "group_tile": 16, "token_tile": 2}, warps=4),
    Tuning({"row_tile": 4, "group_tile": 16, "token_tile": 4}, warps=4),
)
"""The first point that holds the tokens is launched. Eight at a time would spill; no time is measured yet."""


@jit
def q4k_gemv_kernel(
    weight_ptr: tl.tensor,  # [rows, blocks * 144] bytes
    x_ptr: tl.tensor,  # [tokens, blocks * 256]
    out_ptr: tl.tensor,  # [tokens, rows]
    weight_stride: tl.tensor,  # in units of 16 bytes
    x_stride: tl.tensor,
    out_stride: tl.tensor,
    rows: tl.tensor,
    tokens: tl.tensor,
    blocks: tl.tensor,
    row_tile: tl.constexpr,
    group_tile: tl.constexpr,
    token_tile: tl.constexpr,
) -> None:
    """Multiply `row_tile` rows by `token_tile` tokens, `group_tile` groups of 64 weights at a time."""
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
        sums += (tl.zeros([row_tile, group_tile, 32], dtype=tl.float32),)
    for start in range(0, 4 * blocks, group_tile):
        group = start + tl.arange(0, group_tile)
        inside = group < 4 * blocks
        there = (row < rows)[:, None] & inside[None, :]
        block_ptr = weight_ptr + row.to(tl.int64)[:, None] * weight_stride * 16 + (group // 4 * 144)[None, :]
        nibbles = tl.load(
            block_ptr[:, :, None] + (16 + group % 4 * 32)[None, :, None] + lane[None, None, :],
            mask=there[:, :, None],
            other=0,
        )
        # The 16 bytes before the nibbles, as four words: d and dmin; then the twelve bytes s of scales.
        words = block_ptr.to(tl.pointer_type(tl.uint32))
        factors = tl.load(words, mask=there, other=0)
        shift = (group % 2 * 16)[None, :]
        first = tl.load(words + 1, mask=there, other=0) >> shift  # s[j], j the sub-block modulo 4
        second = tl.load(words + 2, mask=there, other=0) >> shift  # s[j + 4]
        third = tl.load(words + 3, mask=there, other=0) >> shift  # s[j + 8]
        d = (factors & 0xFFFF).to(tl.uint16).to(tl.float16, bitcast=True).to(tl.float32)
        dmin = (factors >> 16).to(tl.uint16).to(tl.float16, bitcast=True).to(tl.float32)
        late = (group % 4 >= 2)[
            None, :
        ]  # sub-blocks 4 to 7, whose high two bits lie in the first eight bytes
        low_scale = tl.where(late, (third & 15) | (first >> 6 & 3) << 4, first & 63)
        low_min = tl.where(late, (third >> 4 & 15) | (second >> 6 & 3) << 4, second & 63)
        high_scale = tl.where(late, (third >> 8 & 15) | (first >> 14 & 3) << 4, first >> 8 & 63)
        high_min = tl.where(late, (third >> 12 & 15) | (second >> 14 & 3) << 4, second >> 8 & 63)
        low = (nibbles & 15).to(tl.float32) * (d * low_scale.to(tl.float32))[:, :, None]
        low -= (dmin * low_min.to(tl.float32))[:, :, None]
        high = (nibbles >> 4).to(tl.float32) * (d * high_scale.to(tl.float32))[:, :, None]
        high -= (dmin * high_min.to(tl.float32))[:, :, None]
        added: tl.tuple = ()
        for t in tl.static_range(token_tile):
            x_at = x_ptr + tl.minimum(token + t, last) * x_stride + group[:, None] * 64 + lane[None, :]
            x_low = tl.load(x_at, mask=inside[:, None], other=0.0).to(tl.float32)
            x_high = tl.load(x_at + 32, mask=inside[:, None], other=0.0).to(tl.float32)
            added += (sums[t] + low * x_low[None, :, :] + high * x_high[None, :, :],)
        sums = added
    for t in tl.static_range(token_tile):
        out = tl.sum(tl.sum(sums[t], axis=2), axis=1)
        out_at = out_ptr + tl.minimum(token + t, last) * out_stride + row
        tl.store(out_at, out.to(out_ptr.dtype.element_ty), mask=row < rows)


def q4k_gemv(weight: Tensor, x: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Multiply every token of `x` by a matrix in Q4_K.

    Parameters
    ----------
    weight
        uint8 ``[rows, columns / 256 * 144]``, as the file has them; it and its rows begin at multiples of 16.
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
    return multiply(q4k_gemv_kernel, Q4_K, SPACE, weight, x, out)
