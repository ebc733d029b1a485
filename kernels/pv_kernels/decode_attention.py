"""Attention of one new token a sequence over its cached keys, several query heads to a key head.

``y_h = sum_j p_j v_j / sum_j p_j`` with ``p_j = exp(q_h k_j scale - m)`` and ``m = max_j q_h k_j scale``,
over the keys ``j < length`` of key head ``g(h) = floor(h kv_heads / heads)``.

Sources: Ainslie et al. 2023, arXiv:2305.13245 (grouped queries); Dao et al. 2022, arXiv:2205.14135 (the
running maximum); Dao, Haziza, Massa and Sizov 2023, "Flash-Decoding for long-context inference" (the keys of
a sequence are split, and the parts combined with weights ``exp(m_part - m)``). The query heads of a group are
the rows of one tile, so that a key is read once for all of them. The mathematics is float32; the shares p are
rounded to the elements' type before they meet the values, as matrix units want it.

A sequence of no keys gives zeros. One whose length is negative or beyond the cache gives NaN, and memory
outside the cache is not read. NaN or an infinite score makes its heads NaN; minus infinity is a share of 0,
and NaN where there is nothing else. What lies in the cache at or after the length has no influence, not even
NaN.

For a given number of splits a sequence's answer does not depend on the others in its batch, bit for bit.
"""

from __future__ import annotations

import torch
import triton.language as tl
from torch import Tensor

from pv_kernels.errors import LayoutError, ShapeError, UnknownDtypeError, ValueRangeError
from pv_kernels.heads import check_keys, exponent_scale, group_size
from pv_kernels.language import jit
from pv_kernels.operands import buffer, same
from pv_kernels.product import product
from pv_kernels.tuning import Tuning

__all__ = [
    "COMBINE_SPACE",
    "MAX_SPLITS",
    "SPACE",
    "choose",
    "choose_splits",
    "combine_splits_kernel",
    "decode_attention",
    "decode_attention_kernel",
]

SPACE = (
    Tuning({"head_dim": 32, "block_keys": 64}, warps=2, stages=2),
    Tuning({"head_dim": 64, "block_keys": 64}, warps=4, stages=2),
    Tuning({"head_dim": 64, "block_keys": 32}, warps=4, stages=3),
    Tuning({"head_dim": 128, "block_keys": 64}, warps=8, stages=2),
    Tuning({"head_dim": 128, "block_keys": 32}, warps=4, stages=3),
)
"""Stages as many as fit the shared memory of sm_89, 99 KiB, when the elements are float32."""
COMBINE_SPACE = (
    Tuning({"head_dim": 32, "block_splits": 16}, warps=2),
    Tuning({"head_dim": 32, "block_splits": 64}, warps=4),
    Tuning({"head_dim": 64, "block_splits": 16}, warps=4),
    Tuning({"head_dim": 64, "block_splits": 64}, warps=4),
    Tuning({"head_dim": 128, "block_splits": 16}, warps=4),
    Tuning({"head_dim": 128, "block_splits": 64}, warps=8),
)
MAX_SPLITS = 64
"""What one program can combine."""
_PROGRAMS = 264
"""Two for each of the 132 multiprocessors of an H100. Not asked of the device: the result depends on it."""
_KEYS = 256
"""A split of fewer keys is not worth its program."""


@jit
def decode_attention_kernel(
    q_ptr: tl.tensor,  # [batch, kv_heads * group, head_dim]
    k_ptr: tl.tensor,  # [batch, kv_heads, capacity, head_dim]
    v_ptr: tl.tensor,  # [batch, kv_heads, capacity, head_dim]
    lengths_ptr: tl.tensor,  # [batch]
    mixed_ptr: tl.tensor,  # [batch, kv_heads * group, splits, head_dim]
    top_ptr: tl.tensor,  # [batch, kv_heads * group, splits]
    total_ptr: tl.tensor,  # [batch, kv_heads * group, splits]
    q_batch_stride: tl.tensor,
    q_head_stride: tl.tensor,
    k_batch_stride: tl.tensor,
    k_head_stride: tl.tensor,
    k_key_stride: tl.tensor,
    v_batch_stride: tl.tensor,
    v_head_stride: tl.tensor,
    v_key_stride: tl.tensor,
    kv_heads: tl.tensor,
    group: tl.tensor,
    capacity: tl.tensor,
    scale: tl.float32,
    head_dim: tl.constexpr,
    block_heads: tl.constexpr,
    block_keys: tl.constexpr,
    upcast: tl.constexpr,
) -> None:
    """Attend over one split of one key head's keys, with all query heads that share it."""
    sequence = (tl.program_id(0) // kv_heads).to(tl.int64)  # strides of a cache pass 2^31
    kv_head = (tl.program_id(0) % kv_heads).to(tl.int64)
    split, splits = tl.program_id(1), tl.num_programs(1)
    dims = tl.arange(0, head_dim)
    members = tl.arange(0, block_heads)
    heads = kv_head * group + members
    real = members < group

    length = tl.minimum(tl.maximum(tl.load(lengths_ptr + sequence), 0), capacity)
    share = tl.cdiv(tl.cdiv(length, splits), block_keys) * block_keys
    first = split * share
    last = tl.minimum(first + share, length)

    q_rows = q_ptr + sequence * q_batch_stride + heads * q_head_stride
    q = tl.load(q_rows[:, None] + dims[None, :], mask=real[:, None], other=0.0)
    k_ptr += sequence * k_batch_stride + kv_head * k_head_stride
    v_ptr += sequence * v_batch_stride + kv_head * v_head_stride

    top = tl.full([block_heads], float("-inf"), dtype=tl.float32)
    total = tl.zeros([block_heads], dtype=tl.float32)
    mixed = tl.zeros([block_heads, head_dim], dtype=tl.float32)
    for start in range(first, last, block_keys):
        keys = start + tl.arange(0, block_keys)
        held = keys < last
        rows = keys.to(tl.int64)
        k = tl.load(k_ptr + rows[:, None] * k_key_stride + dims[None, :], mask=held[:, None], other=0.0)
        v = tl.load(v_ptr + rows[:, None] * v_key_stride + dims[None, :], mask=held[:, None], other=0.0)
        scores = product(q, tl.trans(k), upcast) * scale
        scores = tl.where(held[None, :], scores, float("-inf"))
        higher = tl.maximum(top, tl.max(scores, axis=1))
        # Minus infinity less itself is NaN: where nothing else was seen, 0 is subtracted instead.
        shift = tl.where(higher == float("-inf"), 0.0, higher)
        shares = tl.exp2(scores - shift[:, None])
        rescale = tl.exp2(top - shift)
        total = total * rescale + tl.sum(shares, axis=1)
        mixed = mixed * rescale[:, None] + product(shares.to(v.dtype), v, upcast)
        top = higher

    parts = (sequence * kv_heads * group + heads) * splits + split
    tl.store(top_ptr + parts, top, mask=real)
    tl.store(total_ptr + parts, total, mask=real)
    tl.store(mixed_ptr + parts[:, None] * head_dim + dims[None, :], mixed, mask=real[:, None])


@jit
def combine_splits_kernel(
    mixed_ptr: tl.tensor,  # [batch, heads, splits, head_dim]
    top_ptr: tl.tensor,  # [batch, heads, splits]
    total_ptr: tl.tensor,  # [batch, heads, splits]
    lengths_ptr: tl.tensor,  # [batch]
    out_ptr: tl.tensor,  # [batch, heads, head_dim]
    out_batch_stride: tl.tensor,
    out_head_stride: tl.tensor,
    heads: tl.tensor,
    splits: tl.tensor,
    capacity: tl.tensor,
    head_dim: tl.constexpr,
    block_splits: tl.constexpr,
) -> None:
    """Combine the splits of one query head, each with the weight of its maximum."""
    row = tl.program_id(0).to(tl.int64)
    sequence, head = row // heads, row % heads
    dims = tl.arange(0, head_dim)
    parts = tl.arange(0, block_splits)
    real = parts < splits
    places = row * splits + parts
    top = tl.load(top_ptr + places, mask=real, other=float("-inf"))
    total = tl.load(total_ptr + places, mask=real, other=0.0)
    mixed = tl.load(mixed_ptr + places[:, None] * head_dim + dims[None, :], mask=real[:, None], other=0.0)
    most = tl.max(top, axis=0)
    weights = tl.exp2(top - tl.where(most == float("-inf"), 0.0, most))
    answer = tl.sum(mixed * weights[:, None], axis=0) / tl.sum(total * weights, axis=0)
    length = tl.load(lengths_ptr + sequence)
    answer = tl.where(length == 0, 0.0, answer)
    answer = tl.where((length < 0) | (length > capacity), float("nan"), answer)
    out_row = out_ptr + sequence * out_batch_stride + head * out_head_stride
    tl.store(out_row + dims, answer.to(out_ptr.dtype.element_ty))


def choose(head_dim: int) -> Tuning:
    """Return the first tuning for heads of `head_dim`."""
    return next(tuning for tuning in SPACE if tuning.constants["head_dim"] == head_dim)


def choose_splits(pairs: int, capacity: int) -> int:
    """Return into how many parts keys are split, for `pairs` of a sequence and a key head.

    So many that a large GPU is busy, and of `_KEYS` keys at least. It depends on the shapes alone, not on the
    lengths, which lie on the GPU: a captured graph stays right while they grow.
    """
    return max(1, min(-(-_PROGRAMS // max(pairs, 1)), capacity // _KEYS, MAX_SPLITS))


def decode_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    lengths: Tensor,
    *,
    scale: float | None = None,
    splits: int | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Return what each head of the new tokens gathers from the values, ``[batch, heads, head_dim]``.

    Parameters
    ----------
    q
        ``[batch, heads, head_dim]``: one token a sequence.
    k, v
        ``[batch, kv_heads, capacity, head_dim]``, of any strides but the last, which is 1: a cache kept as
        ``[batch, capacity, kv_heads, head_dim]`` is given as ``cache.transpose(1, 2)``.
    lengths
        ``[batch]``, int32: how many keys of each sequence are filled in, the new token's own among them.
    scale
        By default ``1 / sqrt(head_dim)``.
    splits
        How many programs share the keys of a sequence; by default `choose_splits`.
    out
        Where to write the result.

    Raises
    ------
    UnknownDtypeError, ShapeError, LayoutError, ValueRangeError
        See `pv_kernels.errors`.
    """
    same(q=q, k=k, v=v)
    if q.ndim != 3:
        raise ShapeError(f"q is {list(q.shape)}; wanted is [batch, heads, head_dim], one token a sequence")
    check_keys(q, k, v)
    _check_lengths(q, lengths)
    (batch, heads, head_dim), (_, kv_heads, capacity, _) = q.shape, k.shape
    group = group_size(heads, kv_heads)
    exponent = exponent_scale(scale, head_dim)
    splits = choose_splits(batch * kv_heads, capacity) if splits is None else splits
    if not 1 <= splits <= MAX_SPLITS:
        raise ValueRangeError(f"splits is {splits}; wanted is from 1 to {MAX_SPLITS}")
    out = buffer("out", out, q)
    if out.stride(-1) != 1:
        raise LayoutError(
            f"out: elements of a head lie {out.stride(-1)} apart; wanted is one with them side by side"
        )
    if batch == 0:
        return out
    mixed = torch.empty(batch, heads, splits, head_dim, dtype=torch.float32, device=q.device)
    top, total = (torch.empty(batch, heads, splits, dtype=torch.float32, device=q.device) for _ in range(2))
    decode_attention_kernel[(batch * kv_heads, splits)](
        *(q, k, v, lengths, mixed, top, total),
        *(*q.stride()[:2], *k.stride()[:3], *v.stride()[:3]),
        *(kv_heads, group, capacity, exponent),
        block_heads=max(16, 1 << (group - 1).bit_length()),
        upcast=not q.is_cuda,
        **choose(head_dim).options(),
    )
    combine_splits_kernel[(batch * heads,)](
        *(mixed, top, total, lengths, out, *out.stride()[:2], heads, splits, capacity),
        **_combining(head_dim, splits).options(),
    )
    return out


def _combining(head_dim: int, splits: int) -> Tuning:
    """Return the smallest block of splits that holds all of them."""
    fitting = (t for t in COMBINE_SPACE if t.constants["head_dim"] == head_dim)
    return next(tuning for tuning in fitting if tuning.constants["block_splits"] >= splits)


def _check_lengths(q: Tensor, lengths: Tensor) -> None:
    if lengths.dtype != torch.int32:
        raise UnknownDtypeError(f"lengths is {lengths.dtype}; wanted is torch.int32")
    if lengths.shape != q.shape[:1]:
        raise ShapeError(
            f"lengths is {list(lengths.shape)} and q {list(q.shape)}; wanted is one of each sequence"
        )
    if lengths.device != q.device or not lengths.is_contiguous():
        raise LayoutError(
            f"lengths is on {lengths.device}, stride {lengths.stride()}; wanted side by side, as q is"
        )
