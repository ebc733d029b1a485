"""What each stage computes from its inputs, as plain functions: the reference of every experiment."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from pv_runtime.architecture import Architecture

__all__ = ["ROLES", "AttentionVariant", "angles", "attention", "evaluate", "normalised", "turned"]

ROLES: dict[str, dict[str, str]] = {
    "attn_norm": {"x": "block_input"},
    "qkv_matmul": {"x": "attn_norm"},
    "qkv_bias": {"x": "qkv_matmul"},
    "q_post_rope": {"x": "qkv_bias.q"},
    "k_post_rope": {"x": "qkv_bias.k"},
    "attention": {"q": "q_post_rope", "k": "k_post_rope", "v": "qkv_bias.v"},
    "attn_out": {"x": "attention"},
    "post_attn_residual": {"x": "block_input", "branch": "attn_out", "normed": "attn_norm"},
    "ffn_norm": {"x": "post_attn_residual"},
    "ffn_gate": {"x": "ffn_norm"},
    "ffn_up": {"x": "ffn_norm"},
    "ffn_silu": {"x": "ffn_gate", "up": "ffn_up"},
    "ffn_swiglu": {"x": "ffn_silu", "up": "ffn_up", "gate": "ffn_gate"},
    "ffn_out": {"x": "ffn_swiglu"},
    "layer_output": {
        "x": "post_attn_residual", "branch": "ffn_out", "normed": "ffn_norm", "block_input": "block_input",
    },
    "final_norm": {"x": "block_input"},
    "lm_head": {"x": "final_norm"},
}  # fmt: skip
"""Each stage's inputs: role to the stage that makes it, with a part of its features behind a dot.

``block_input`` is the embedding or the output of the block before.
"""

_NORMS = {"attn_norm", "ffn_norm", "final_norm"}


def evaluate(
    stage: str,
    inputs: Mapping[str, Tensor],
    weight: Tensor | None,
    architecture: Architecture,
    first: int = 0,
) -> Tensor:
    """Compute a stage, ``[tokens, features]``, from its inputs as `ROLES` names them.

    `first` is the position of the first token; the embedding takes its tokens under ``"tokens"``.
    """
    if stage == "embedding":
        assert weight is not None  # noqa: S101 - stages with weights are handed theirs
        return functional.embedding(inputs["tokens"], weight)
    if stage in {"q_post_rope", "k_post_rope"}:
        x = inputs["x"]
        positions = torch.arange(first, first + len(x), device=x.device)
        return turned(x, angles(positions, architecture.head_dim, architecture.rope_theta))
    if stage == "attention":
        return attention(inputs["q"], inputs["k"], inputs["v"], architecture)
    x = inputs["x"]
    if stage in _NORMS:
        assert weight is not None  # noqa: S101
        return normalised(x, architecture.rms_norm_eps) * weight
    if stage == "qkv_bias":
        return x if weight is None else x + weight
    if stage == "ffn_silu":
        return functional.silu(x)
    if stage == "ffn_swiglu":
        return x * inputs["up"]
    if stage in {"post_attn_residual", "layer_output"}:
        return x + inputs["branch"]
    assert weight is not None  # noqa: S101
    return functional.linear(x, weight)


def normalised(x: Tensor, epsilon: float) -> Tensor:
    """Return x / sqrt(mean(x²) + ε)."""
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + epsilon)


def angles(positions: Tensor, head_dim: int, theta: float) -> Tensor:
    """Return p · theta^(-2i/d), float32 ``[tokens, head_dim / 2]``."""
    exponent = torch.arange(0, head_dim, 2, dtype=torch.float32, device=positions.device) / head_dim
    return positions[:, None].float() * (1.0 / theta**exponent)


def turned(x: Tensor, by: Tensor, *, interleaved: bool = False) -> Tensor:
    """Turn pairs of ``[tokens, heads · head_dim]`` by ``[tokens, head_dim / 2]``: halves, or neighbours."""
    count, half = by.shape
    pairs = x.view(count, -1, half, 2) if interleaved else x.view(count, -1, 2, half).transpose(2, 3)
    cos, sin = by.cos()[:, None], by.sin()[:, None]
    first, second = pairs[..., 0], pairs[..., 1]
    out = torch.stack([first * cos - second * sin, second * cos + first * sin], dim=-1)
    return (out if interleaved else out.transpose(2, 3)).reshape(x.shape)


@dataclasses.dataclass(frozen=True, slots=True)
class AttentionVariant:
    """Attention as somebody may compute it.

    Parameters
    ----------
    keys_of, values_of
        The key head, and the value head, that each query head looks at; h // (heads / kv_heads) by default.
    allowed
        bool ``[tokens, tokens]``, which keys (columns) each query may look at; causal by default.
    scale
        Factor of the scores; 1/sqrt(head_dim) by default.
    axis
        That the softmax sums over: ``"keys"``, ``"queries"`` or ``"heads"``.
    passes
        Ranges of queries that are computed together, which matters to a softmax over queries.
    rounded
        The dtype that the shares are rounded to, if any.
    """

    keys_of: tuple[int, ...] | None = None
    values_of: tuple[int, ...] | None = None
    allowed: Tensor | None = None
    scale: float | None = None
    axis: str = "keys"
    passes: tuple[tuple[int, int], ...] = ()
    rounded: torch.dtype | None = None


def attention(
    q: Tensor, k: Tensor, v: Tensor, architecture: Architecture, variant: AttentionVariant | None = None
) -> Tensor:
    """softmax(q kᵀ · scale) v for ``[tokens, heads · head_dim]``; `variant` says what is done otherwise."""
    how = variant or AttentionVariant()
    a, count = architecture, len(q)
    queries = q.view(count, a.heads, a.head_dim).transpose(0, 1)
    group = a.heads // a.kv_heads
    usual = tuple(head // group for head in range(a.heads))
    keys = k.view(len(k), a.kv_heads, a.head_dim).transpose(0, 1)[list(how.keys_of or usual)]
    values = v.view(len(v), a.kv_heads, a.head_dim).transpose(0, 1)[list(how.values_of or usual)]
    scale = how.scale if how.scale is not None else 1 / math.sqrt(a.head_dim)
    allowed = how.allowed if how.allowed is not None else torch.ones(count, len(k), dtype=torch.bool).tril()
    scores = (queries @ keys.transpose(1, 2) * scale).masked_fill(~allowed, torch.finfo(q.dtype).min)
    if how.axis == "queries":
        parts = [scores[:, start:end, :] for start, end in how.passes or ((0, count),)]
        # What a pass cannot see is not there; what it hides is zero but where all of a column is hidden.
        shares = torch.cat([part.softmax(dim=1) for part in parts], dim=1).masked_fill(~allowed, 0)
    else:
        shares = scores.softmax(dim={"keys": 2, "heads": 0}[how.axis])
    if how.rounded is not None:
        shares = shares.to(how.rounded).to(q.dtype)
    return (shares @ values).transpose(0, 1).reshape(count, -1)
