"""Causal attention of many tokens at once, several query heads to a key head, as in prefill.

``y_t = sum_s p_s v_s / sum_s p_s`` with ``p_s = exp(q_t k_s scale - m_t)`` over the keys ``s <= t + keys -
tokens`` of key head ``g(h) = floor(h kv_heads / heads)``: the last token sees every key, so that a prompt may
also come in pieces, each behind the keys of those before.

Sources: Dao et al. 2022, arXiv:2205.14135 (tiles, the running maximum and sum: where a tile raises the
maximum from m to n, what was gathered is multiplied by ``exp(m - n)``); Ainslie et al. 2023, arXiv:2305.13245
(grouped queries). The mathematics is float32; the shares p are rounded to the elements' type before they meet
the values.

Later tokens do not change earlier outputs, bit for bit, while their values are finite. A NaN in q, or in a
key that is seen, makes the row NaN; in a key that is not seen it has no influence. A NaN or infinity in a
value makes NaN or itself of its column for all who see it, and may do so for earlier tokens of its tile:
their shares of it are 0, and 0 times NaN is NaN.
"""

from __future__ import annotations

import torch
import triton.language as tl
from torch import Tensor

from pv_kernels.errors import LayoutError, ShapeError
from pv_kernels.heads import check_keys, exponent_scale, group_size
from pv_kernels.language import jit
from pv_kernels.operands import buffer, same
from pv_kernels.product import product
from pv_kernels.tuning import Tuning

__all__ = ["FLOAT32_SPACE", "SPACE", "attention", "attention_kernel", "choose"]

SPACE = (
    Tuning({"head_dim": 32, "block_tokens": 64, "block_keys": 64}, warps=4, stages=2),
    Tuning({"head_dim": 64, "block_tokens": 64, "block_keys": 64}, warps=4, stages=2),
    Tuning({"head_dim": 64, "block_tokens": 64, "block_keys": 32}, warps=4, stages=3),
    Tuning({"head_dim": 128, "block_tokens": 64, "block_keys": 32}, warps=8, stages=2),
    Tuning({"head_dim": 128, "block_tokens": 64, "block_keys": 64}, warps=8, stages=2),
)
"""For 16-bit elements, which matrix units multiply."""
FLOAT32_SPACE = (
    Tuning({"head_dim": 32, "block_tokens": 64, "block_keys": 16}, warps=4, stages=2),
    Tuning({"head_dim": 64, "block_tokens": 64, "block_keys": 16}, warps=8, stages=2),
    Tuning({"head_dim": 128, "block_tokens": 64, "block_keys": 16}, warps=8, stages=2),
)
"""For float32, which they do not: a larger tile spills registers."""


@jit
def attention_kernel(
    q_ptr: tl.tensor,  # [batch, heads, tokens, head_dim]
    k_ptr: tl.tensor,  # [batch, heads / group, keys, head_dim]
    v_ptr: tl.tensor,  # [batch, heads / group, keys, head_dim]
    out_ptr: tl.tensor,  # [batch, heads, tokens, head_dim]
    q_batch_stride: tl.tensor,
    q_head_stride: tl.tensor,
    q_token_stride: tl.tensor,
    k_batch_stride: tl.tensor,
    k_head_stride: tl.tensor,
    k_key_stride: tl.tensor,
    v_batch_stride: tl.tensor,
    v_head_stride: tl.tensor,
    v_key_stride: tl.tensor,
    out_batch_stride: tl.tensor,
    out_head_stride: tl.tensor,
    out_token_stride: tl.tensor,
    heads: tl.tensor,
    group: tl.tensor,
    tokens: tl.tensor,
    keys: tl.tensor,
    scale: tl.float32,
    head_dim: tl.constexpr,
    block_tokens: tl.constexpr,
    block_keys: tl.constexpr,
    upcast: tl.constexpr,
) -> None:
    """Attend with one tile of one head's tokens."""
    sequence = (tl.program_id(1) // heads).to(tl.int64)  # strides pass 2^31
    head = (tl.program_id(1) % heads).to(tl.int64)
    dims = tl.arange(0, head_dim)
    rows = tl.program_id(0) * block_tokens + tl.arange(0, block_tokens)
    real = rows < tokens
    before = keys - tokens

    q_rows = q_ptr + sequence * q_batch_stride + head * q_head_stride + rows.to(tl.int64) * q_token_stride
    q = tl.load(q_rows[:, None] + dims[None, :], mask=real[:, None], other=0.0)
    k_ptr += sequence * k_batch_stride + (head // group) * k_head_stride
    v_ptr += sequence * v_batch_stride + (head // group) * v_head_stride

    top = tl.full([block_tokens], float("-inf"), dtype=tl.float32)
    total = tl.zeros([block_tokens], dtype=tl.float32)
    mixed = tl.zeros([block_tokens, head_dim], dtype=tl.float32)
    # The last row of the tile sees the most; tiles behind it are seen by none.
    seen = tl.minimum(before + (tl.program_id(0) + 1) * block_tokens, keys)
    for start in range(0, seen, block_keys):
        columns = start + tl.arange(0, block_keys)
        held = columns < keys
        places = columns.to(tl.int64)
        k = tl.load(k_ptr + places[:, None] * k_key_stride + dims[None, :], mask=held[:, None], other=0.0)
        v = tl.load(v_ptr + places[:, None] * v_key_stride + dims[None, :], mask=held[:, None], other=0.0)
        scores = product(q, tl.trans(k), upcast) * scale
        # A row that is real sees no column beyond the keys: before + row < keys.
        scores = tl.where(columns[None, :] <= before + rows[:, None], scores, float("-inf"))
        higher = tl.maximum(top, tl.max(scores, axis=1))
        # Minus infinity less itself is NaN: where nothing else was seen, 0 is subtracted instead.
        shift = tl.where(higher == float("-inf"), 0.0, higher)
        shares = tl.exp2(scores - shift[:, None])
        rescale = tl.exp2(top - shift)
        total = total * rescale + tl.sum(shares, axis=1)
        mixed = mixed * rescale[:, None] + product(shares.to(v.dtype), v, upcast)
        top = higher

    answer = (mixed / total[:, None]).to(out_ptr.dtype.element_ty)
    out_rows = out_ptr + sequence * out_batch_stride + head * out_head_stride
    out_rows += rows.to(tl.int64) * out_token_stride
    tl.store(out_rows[:, None] + dims[None, :], answer, mask=real[:, None])


def choose(head_dim: int, dtype: torch.dtype) -> Tuning:
    """Return the first tuning for heads of `head_dim`."""
    space = FLOAT32_SPACE if dtype == torch.float32 else SPACE
    return next(tuning for tuning in space if tuning.constants["head_dim"] == head_dim)


def attention(
    q: Tensor, k: Tensor, v: Tensor, *, scale: float | None = None, out: Tensor | None = None
) -> Tensor:
    """Return what each token gathers from the values up to its own, shaped as `q`.

    Parameters
    ----------
    q
        ``[batch, heads, tokens, head_dim]``.
    k, v
        ``[batch, kv_heads, keys, head_dim]``, keys at least as many as tokens; the last token is at the last
        key. Strides are any but the last, which is 1, in q and out too.
    scale
        By default ``1 / sqrt(head_dim)``.
    out
        Where to write the result.

    Raises
    ------
    UnknownDtypeError, ShapeError, LayoutError, ValueRangeError
        See `pv_kernels.errors`.
    """
    same(q=q, k=k, v=v)
    if q.ndim != 4:
        raise ShapeError(f"q is {list(q.shape)}; wanted is [batch, heads, tokens, head_dim]")
    check_keys(q, k, v)
    (batch, heads, tokens, head_dim), (_, kv_heads, keys, _) = q.shape, k.shape
    group = group_size(heads, kv_heads)
    if tokens > keys:
        raise ShapeError(f"q has {tokens} tokens and k {keys} keys; wanted is a key for each token at least")
    exponent = exponent_scale(scale, head_dim)
    out = buffer("out", out, q)
    if out.stride(-1) != 1:
        raise LayoutError(
            f"out: elements of a head lie {out.stride(-1)} apart; wanted is one with them side by side"
        )
    if out.numel():
        tuning = choose(head_dim, q.dtype)
        attention_kernel[(-(-tokens // tuning.constants["block_tokens"]), batch * heads)](
            *(q, k, v, out),
            *(*q.stride()[:3], *k.stride()[:3], *v.stride()[:3], *out.stride()[:3]),
            *(heads, group, tokens, keys, exponent),
            upcast=q.dtype == torch.float32 or not q.is_cuda,
            **tuning.options(),
        )
    return out
