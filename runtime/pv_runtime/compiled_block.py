"""One block of the decoder for one new token, compiled: what `model.Decoder.block` computes, in loops.

Matrices are float16, given as their bits, and widened on the way; all else is float32. For a small model, the
calls of the twenty operations of a block take longer than their arithmetic, and here there is one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pv_runtime.compiled import compiled
from pv_runtime.half_product import product

__all__ = ["decode_block"]


@compiled(reassociate=True)
def _norm(x: Any, weight: Any, epsilon: Any, result: Any) -> None:
    """Write x / sqrt(mean(x²) + ε) · weight to `result`."""
    total = np.float32(0)
    for index in range(x.size):
        total += x[index] * x[index]
    scale = np.float32(1 / math.sqrt(total / x.size + epsilon))
    for index in range(x.size):
        result[index] = x[index] * scale * weight[index]


@compiled(reassociate=True)
def _rotate(head: Any, cos: Any, sin: Any) -> None:
    """Turn the pairs (xᵢ, xᵢ₊d/2) in place."""
    half = cos.size
    for index in range(half):
        first, second = head[index], head[index + half]
        head[index] = first * cos[index] - second * sin[index]
        head[index + half] = second * cos[index] + first * sin[index]


@compiled(reassociate=True)
def _attend(query: Any, keys: Any, values: Any, length: int, shares: Any, result: Any) -> None:
    """Write softmax(q kᵀ / sqrt(d)) v over the first `length` rows to `result`."""
    width = query.size
    scale = np.float32(1 / math.sqrt(width))
    highest = np.float32(-np.inf)
    for row in range(length):
        score = np.float32(0)
        for index in range(width):
            score += query[index] * keys[row, index]
        shares[row] = score * scale
        # Written so that a NaN is taken over, and stays in everything after it.
        highest = highest if shares[row] <= highest else shares[row]  # noqa: FURB136
    total = np.float32(0)
    for row in range(length):
        shares[row] = np.exp(shares[row] - highest)
        total += shares[row]
    result[:] = np.float32(0)
    for row in range(length):
        share = shares[row] / total
        for index in range(width):
            result[index] += share * values[row, index]


@compiled(reassociate=True)
def decode_block(
    x: Any, weights: Any, keys: Any, values: Any, position: int, cos: Any, sin: Any, epsilon: Any, heads: int
) -> None:
    """Compute a block in place.

    Parameters
    ----------
    x
        float32 ``[hidden]``, changed to the block's output.
    weights
        attn_norm, qkv, qkv_bias (empty for none), attn_out, ffn_norm, gate, up, down.
    keys, values
        float32 ``[kv_heads, capacity, head_dim]``; row `position` is written.
    position
        Number of positions before this one.
    cos, sin
        float32 ``[head_dim / 2]`` of this position.
    epsilon, heads
        ε of the norms, and the number of query heads.
    """
    attn_norm, qkv, bias, attn_out, ffn_norm, gate, up, down = weights
    kv_heads, _, width = keys.shape
    normed = np.empty(x.size, np.float32)
    _norm(x, attn_norm, epsilon, normed)
    projected = np.empty(qkv.shape[0], np.float32)
    product(qkv, normed, projected)
    for index in range(bias.size):
        projected[index] += bias[index]
    by_head = projected.reshape(heads + 2 * kv_heads, width)
    for head in range(heads + kv_heads):
        _rotate(by_head[head], cos, sin)
    mixed = np.empty((heads, width), np.float32)
    shares = np.empty(position + 1, np.float32)
    for head in range(kv_heads):
        keys[head, position] = by_head[heads + head]
        values[head, position] = by_head[heads + kv_heads + head]
    for head in range(heads):
        group = head // (heads // kv_heads)
        _attend(by_head[head], keys[group], values[group], position + 1, shares, mixed[head])
    added = np.empty(x.size, np.float32)
    product(attn_out, mixed.reshape(-1), added)
    x += added
    _norm(x, ffn_norm, epsilon, normed)
    gated, upped = np.empty(gate.shape[0], np.float32), np.empty(gate.shape[0], np.float32)
    product(gate, normed, gated)
    product(up, normed, upped)
    for index in range(gated.size):
        gated[index] = gated[index] / (np.float32(1) + np.exp(-gated[index])) * upped[index]
    product(down, gated, added)
    x += added
