"""Rotary position embedding of queries and keys in one launch, in place if that is wanted.

``y_i = x_i c_i - x_(i+h) s_i`` and ``y_(i+h) = x_(i+h) c_i + x_i s_i`` for i < h = dimensions / 2, with
``c_i = cos(p theta^(-i/h))`` and s likewise for position p.

Source: Su et al. 2021, arXiv:2104.09864, with pairs h apart (half-split), as Qwen2 and Llama have them, not
neighbours. The mathematics is float32 whatever the elements are.

The gradient is turned back: the transpose of a rotation is the rotation by the negative angle.

NaN and infinities stay in their pair: a NaN makes both elements NaN; so does an infinity, or makes them
infinite where its factor is not 0. A position that the table does not have gives NaN, and nothing outside of
the table is read.
"""

from __future__ import annotations

import torch
import triton.language as tl
from torch import Tensor

from pv_kernels.errors import LayoutError, ShapeError, UnknownDtypeError
from pv_kernels.language import jit
from pv_kernels.operands import buffer, same
from pv_kernels.tuning import Tuning

__all__ = ["SPACE", "choose", "rope", "rope_backward", "rope_kernel"]

SPACE = (
    Tuning({"block_heads": 8, "block_half": 32}, warps=1),
    Tuning({"block_heads": 16, "block_half": 32}, warps=2),
    Tuning({"block_heads": 8, "block_half": 64}, warps=2),
    Tuning({"block_heads": 16, "block_half": 64}, warps=4),
    Tuning({"block_heads": 8, "block_half": 128}, warps=4),
)
"""`block_half` holds half a head's dimensions. A thread has eight elements of each half: 128 bits or more."""


@jit
def _rotate_heads(
    x_ptr: tl.tensor,  # [heads, dimensions] of one token
    out_ptr: tl.tensor,  # [heads, dimensions]
    cos: tl.tensor,  # [1, block_half], float32
    sin: tl.tensor,  # [1, block_half], float32
    first: tl.tensor,
    heads: tl.tensor,
    half: tl.tensor,
    x_head_stride: tl.tensor,
    out_head_stride: tl.tensor,
    block_heads: tl.constexpr,
    block_half: tl.constexpr,
) -> None:
    """Rotate `block_heads` heads from `first` on. Both halves are read before either is written."""
    head = first + tl.arange(0, block_heads)[:, None]
    column = tl.arange(0, block_half)[None, :]
    mask = (head < heads) & (column < half)
    x_ptr += head.to(tl.int64) * x_head_stride + column
    out_ptr += head.to(tl.int64) * out_head_stride + column
    low = tl.load(x_ptr, mask=mask, other=0.0).to(tl.float32)
    high = tl.load(x_ptr + half, mask=mask, other=0.0).to(tl.float32)
    element = out_ptr.dtype.element_ty
    tl.store(out_ptr, (low * cos - high * sin).to(element), mask=mask)
    tl.store(out_ptr + half, (high * cos + low * sin).to(element), mask=mask)


@jit
def rope_kernel(
    q_ptr: tl.tensor,  # [tokens, q_heads, dimensions]
    k_ptr: tl.tensor,  # [tokens, k_heads, dimensions]
    positions_ptr: tl.tensor,  # [tokens], int64
    cos_ptr: tl.tensor,  # [table, half], float32
    sin_ptr: tl.tensor,  # [table, half], float32
    q_out_ptr: tl.tensor,
    k_out_ptr: tl.tensor,
    q_token_stride: tl.tensor,
    q_head_stride: tl.tensor,
    k_token_stride: tl.tensor,
    k_head_stride: tl.tensor,
    q_out_token_stride: tl.tensor,
    q_out_head_stride: tl.tensor,
    k_out_token_stride: tl.tensor,
    k_out_head_stride: tl.tensor,
    table: tl.tensor,
    q_heads: tl.tensor,
    k_heads: tl.tensor,
    half: tl.tensor,
    direction: tl.float32,  # 1, or -1 to turn back
    block_heads: tl.constexpr,
    block_half: tl.constexpr,
) -> None:
    """Rotate a block of heads of one token a program: first those of the queries, then those of the keys."""
    token = tl.program_id(0).to(tl.int64)
    part = tl.program_id(1)
    position = tl.load(positions_ptr + token)
    column = tl.arange(0, block_half)[None, :]
    known = column < tl.where((position >= 0) & (position < table), half, 0)
    cos = tl.load(cos_ptr + position * half + column, mask=known, other=float("nan"))
    sin = tl.load(sin_ptr + position * half + column, mask=known, other=float("nan")) * direction
    q_parts = tl.cdiv(q_heads, block_heads)
    if part < q_parts:
        _rotate_heads(
            q_ptr + token * q_token_stride,
            q_out_ptr + token * q_out_token_stride,
            cos,
            sin,
            part * block_heads,
            q_heads,
            half,
            q_head_stride,
            q_out_head_stride,
            block_heads,
            block_half,
        )
    else:
        _rotate_heads(
            k_ptr + token * k_token_stride,
            k_out_ptr + token * k_out_token_stride,
            cos,
            sin,
            (part - q_parts) * block_heads,
            k_heads,
            half,
            k_head_stride,
            k_out_head_stride,
            block_heads,
            block_half,
        )


def choose(tokens: int, half: int) -> Tuning:
    """Return a configuration that holds `half`: the smaller for few tokens, so that more programs run.

    Raises
    ------
    ShapeError
        No block does.
    """
    fitting = [tuning for tuning in SPACE if tuning.constants["block_half"] >= half]
    if not fitting:
        raise ShapeError(f"heads of {2 * half} dimensions; the largest block holds 256")
    least = fitting[0].constants["block_half"]
    fitting = [tuning for tuning in fitting if tuning.constants["block_half"] == least]
    return fitting[0] if tokens < 64 else fitting[-1]


def rope(
    q: Tensor,
    k: Tensor,
    positions: Tensor,
    cos: Tensor,
    sin: Tensor,
    *,
    q_out: Tensor | None = None,
    k_out: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Rotate queries and keys by their positions.

    Parameters
    ----------
    q, k
        ``[tokens, heads, dimensions]`` with as many heads as each has, of one type. Tokens and heads may lie
        at any distance, the elements of a head follow each other.
    positions
        ``[tokens]``, int64: rows of the table.
    cos, sin
        ``[table, dimensions / 2]``, float32, contiguous.
    q_out, k_out
        Where to write the results; `q` and `k` themselves are allowed.

    Raises
    ------
    UnknownDtypeError, ShapeError, LayoutError
        See `pv_kernels.errors`.
    """
    return _turned(q, k, positions, cos, sin, q_out, k_out, direction=1.0)


def rope_backward(
    dq: Tensor,
    dk: Tensor,
    positions: Tensor,
    cos: Tensor,
    sin: Tensor,
    *,
    q_out: Tensor | None = None,
    k_out: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the gradients of the queries and keys that `rope` was given: rotate its results' back.

    Parameters
    ----------
    dq, dk
        ``[tokens, heads, dimensions]`` each: the gradients of the results.
    positions, cos, sin
        As they were given to `rope`.
    q_out, k_out
        Where to write the results; `dq` and `dk` themselves are allowed.

    Raises
    ------
    UnknownDtypeError, ShapeError, LayoutError
        See `pv_kernels.errors`; `dq` and `dk` are called q and k there.
    """
    return _turned(dq, dk, positions, cos, sin, q_out, k_out, direction=-1.0)


def _turned(
    q: Tensor,
    k: Tensor,
    positions: Tensor,
    cos: Tensor,
    sin: Tensor,
    q_out: Tensor | None,
    k_out: Tensor | None,
    *,
    direction: float,
) -> tuple[Tensor, Tensor]:
    same(q=q, k=k)
    half = _check_shapes(q, k, positions, cos, sin)
    q_out, k_out = buffer("q_out", q_out, q), buffer("k_out", k_out, k)
    for name, tensor in (("q", q), ("k", k), ("q_out", q_out), ("k_out", k_out)):
        if tensor.shape[-1] > 1 and tensor.stride(-1) != 1:
            raise LayoutError(f"{name}: elements of a head lie {tensor.stride(-1)} apart; call .contiguous()")
    for name, tensor in (("positions", positions), ("cos", cos), ("sin", sin)):
        if not tensor.is_contiguous():
            raise LayoutError(f"{name} has strides {list(tensor.stride())}; call .contiguous() on it first")
    tokens, heads = q.shape[0], (q.shape[1], k.shape[1])
    tuning = choose(tokens, half)
    parts = sum(-(-count // tuning.constants["block_heads"]) for count in heads)
    if tokens and parts and half:
        strides = (tensor.stride(axis) for tensor in (q, k, q_out, k_out) for axis in (0, 1))
        rope_kernel[(tokens, parts)](
            *(q, k, positions, cos, sin, q_out, k_out, *strides, cos.shape[0], *heads, half, direction),
            **tuning.options(),
        )
    return q_out, k_out


def _check_shapes(q: Tensor, k: Tensor, positions: Tensor, cos: Tensor, sin: Tensor) -> int:
    """Return half the dimensions of a head."""
    for name, tensor in (("q", q), ("k", k)):
        if tensor.ndim != 3:
            raise ShapeError(f"{name} is {list(tensor.shape)}; wanted is [tokens, heads, dimensions]")
    half, rest = divmod(q.shape[2], 2)
    if rest:
        raise ShapeError(f"heads have {q.shape[2]} dimensions; wanted is an even number, for pairs")
    if (k.shape[0], k.shape[2]) != (q.shape[0], q.shape[2]):
        raise ShapeError(f"k is {list(k.shape)} and q {list(q.shape)}; wanted are like tokens and dimensions")
    if positions.shape != q.shape[:1]:
        raise ShapeError(
            f"positions is {list(positions.shape)}; wanted is one for each of {q.shape[0]} tokens"
        )
    if positions.dtype != torch.int64:
        raise UnknownDtypeError(f"positions is {positions.dtype}; wanted is torch.int64")
    for name, tensor in (("cos", cos), ("sin", sin)):
        if tensor.dtype != torch.float32:
            raise UnknownDtypeError(f"{name} is {tensor.dtype}; wanted is torch.float32, whatever q is")
        if tensor.ndim != 2 or tensor.shape[1] != half or tensor.shape[0] != cos.shape[0]:
            raise ShapeError(
                f"{name} is {list(tensor.shape)}; wanted is [positions, {half}], alike for cos and sin"
            )
    return half
