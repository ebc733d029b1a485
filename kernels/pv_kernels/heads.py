"""What the wrappers of attention ask of q, k and v."""

from __future__ import annotations

import math

from torch import Tensor

from pv_kernels.errors import LayoutError, ShapeError, ValueRangeError

__all__ = ["HEAD_DIMS", "check_keys", "exponent_scale", "group_size"]

HEAD_DIMS = (32, 64, 128)
"""Elements of a head that the kernels are written for: Qwen2.5 0.5B has 64; 1.5B and 7B have 128; our own
model of 4.8 million parameters has 32."""


def group_size(heads: int, kv_heads: int) -> int:
    """Return how many query heads share a key head.

    Raises
    ------
    ShapeError
        It is no whole number, or there is no key head.
    """
    if kv_heads == 0 or heads == 0 or heads % kv_heads:
        raise ShapeError(
            f"q has {heads} heads and k has {kv_heads}; wanted is a whole number of q's to each of k's"
        )
    return heads // kv_heads


def check_keys(q: Tensor, k: Tensor, v: Tensor) -> None:
    """Refuse keys and values that are not alike, or do not go with `q`.

    Raises
    ------
    ShapeError
        k or v is not ``[batch, kv_heads, keys, head_dim]``, or head_dim is none of `HEAD_DIMS`.
    LayoutError
        The elements of a head do not follow each other.
    """
    if k.ndim != 4 or v.shape != k.shape:
        raise ShapeError(
            f"k is {list(k.shape)}, v {list(v.shape)}; wanted for both is [batch, kv_heads, keys, head_dim]"
        )
    if q.shape[0] != k.shape[0] or q.shape[-1] != k.shape[-1]:
        raise ShapeError(
            f"q is {list(q.shape)} and k {list(k.shape)}; batch (first) and head_dim (last) differ"
        )
    if q.shape[-1] not in HEAD_DIMS:
        raise ShapeError(f"head_dim is {q.shape[-1]}; wanted is one of {', '.join(map(str, HEAD_DIMS))}")
    for name, tensor in (("q", q), ("k", k), ("v", v)):
        if tensor.stride(-1) != 1:
            raise LayoutError(
                f"{name}: elements of a head lie {tensor.stride(-1)} apart; call .contiguous() on it first"
            )


def exponent_scale(scale: float | None, head_dim: int) -> float:
    """Return `scale`, by default ``1 / sqrt(head_dim)``, times log2(e): powers are taken of 2.

    Raises
    ------
    ValueRangeError
        It is not a positive number.
    """
    scale = 1 / math.sqrt(head_dim) if scale is None else scale
    if not (scale > 0 and math.isfinite(scale)):
        raise ValueRangeError(f"scale is {scale}; wanted is a positive number, such as 1 / sqrt(head_dim)")
    return scale * math.log2(math.e)
