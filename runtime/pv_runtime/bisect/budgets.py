"""How far apart two correct implementations of a stage may be: rounding, and nothing else.

For each value, s is the standard deviation of its rounding error. With u the unit roundoff of the dtype
that values are kept in (2^-24, 2^-11 and 2^-8 for float32, float16 and bfloat16), a = 2^-24 that of the
sums, and n the terms of a sum Σ t of value r:

- a sum of products: s² = a² n/2 (Σ t² + r²) + u² r², and 2 u² Σ t² more where u > a, because both factors
  are rounded first. Roundings of a running sum are a random walk: n steps of about a · sqrt(Σ t² k/n).
- RMSNorm: s² = r² (4 u² + a² n/12): the sum of squares has no cancellation, and the root halves its error.
- rotation by p·f, f = theta^(-2i/d): s² = |pair|² (4 u² + (2 p f a)²): a float32 angle is uncertain by
  p·f·a.
- attention: scores have errors e as sums of head_dim products; Σ p v then varies by p e, and as a sum.
- silu of g: s² = u² r² (4 + g²): e^-g makes of the rounding of g a relative error.
- a product or sum of two: s = u |r|, and the rounding of what goes in where u > a.
- float16 ends below at 2^-24: t = 2^-25 is added to each rounding's error there, times what it is
  multiplied by.

A stage is within its budget while each token's L2 error is at most 3 |s| and each value's at most 8 s. The
bound grows with sqrt(n) and not n: Higham and Mary, A new approach to probabilistic rounding error
analysis, SIAM J. Sci. Comput. 41 (2019).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from pv_runtime.architecture import Architecture
from pv_runtime.bisect.mathematics import angles

__all__ = ["OF_A_TOKEN", "OF_A_VALUE", "UNIT", "excess", "sigma"]

UNIT: dict[torch.dtype, float] = {
    torch.float64: 2.0**-53, torch.float32: 2.0**-24, torch.float16: 2.0**-11, torch.bfloat16: 2.0**-8,
}  # fmt: skip
"""Unit roundoff of the dtypes that are computed in."""

OF_A_TOKEN, OF_A_VALUE = 3.0, 8.0
"""Factors on s, for the L2 of a token's values and for each value alone."""

_ACCUMULATED = 2.0**-24
_HALF_OF_THE_SMALLEST = 2.0**-25
_SMALLEST = 2.0**-120
_ROWS = 1 << 14
"""Rows of a matrix that are squared at a time."""


def sigma(
    stage: str,
    inputs: Mapping[str, Tensor],
    weight: Tensor | None,
    reference: Tensor,
    architecture: Architecture,
    unit: float,
    first: int = 0,
) -> Tensor:
    """Return the standard deviation of each value's rounding, float32 ``[tokens, features]``."""
    r2 = reference.square()
    rounded = unit > _ACCUMULATED  # inputs and weights are rounded to the dtype before they are used
    if stage in {"attn_norm", "ffn_norm", "final_norm"}:
        width = reference.shape[-1]
        found = r2 * ((6 if rounded else 4) * unit**2 + _ACCUMULATED**2 * width / 12)
    elif stage in {"q_post_rope", "k_post_rope"}:
        found = _rotation(inputs["x"], architecture, unit, first)
    elif stage == "attention":
        found = _attention(inputs, architecture, unit) + unit**2 * r2
    elif stage == "ffn_silu":
        found = unit**2 * r2 * (4 + inputs["x"].square())
    elif stage in {"post_attn_residual", "layer_output"}:
        parts = inputs["x"].square() + inputs["branch"].square()
        found = unit**2 * (r2 + parts if rounded else r2)
    elif stage in {"embedding", "qkv_bias", "ffn_swiglu"}:
        found = unit**2 * r2 * (4 if rounded else 1)
        if stage == "qkv_bias" and rounded:
            found += unit**2 * inputs["x"].square() * 2
    else:
        assert weight is not None  # noqa: S101 - what is left is a product with a matrix
        terms = _squares(inputs["x"], weight)
        found = _ACCUMULATED**2 * weight.shape[1] / 2 * (terms + r2) + unit**2 * r2
        if rounded:
            found += 2 * unit**2 * terms
    if unit == UNIT[torch.float16]:
        found += _HALF_OF_THE_SMALLEST**2 * _multiplied(stage, inputs, weight)
    return found.sqrt_().clamp_(min=_SMALLEST)


def _multiplied(stage: str, inputs: Mapping[str, Tensor], weight: Tensor | None) -> Tensor | float:
    """Return the sum of the squares of what errors in a stage are multiplied by."""
    if stage == "ffn_swiglu":
        return 2 + inputs["x"].square() + inputs["up"].square()
    if weight is None or stage in {"embedding", "qkv_bias"}:
        return 4.0
    if stage in {"attn_norm", "ffn_norm", "final_norm"}:
        return 4 + weight.square() * (1 + 1 / inputs["x"].square().mean(-1, keepdim=True).clamp(min=1e-12))
    return 1 + inputs["x"].square().sum(-1, keepdim=True) + weight.square().sum(-1)


def _squares(x: Tensor, weight: Tensor) -> Tensor:
    """Return Σ x² w², ``[tokens, out]``, a part of the matrix at a time."""
    x2 = x.square()
    return torch.cat([x2 @ part.square().T for part in torch.split(weight, _ROWS)], dim=-1)


def _rotation(x: Tensor, architecture: Architecture, unit: float, first: int) -> Tensor:
    half = architecture.head_dim // 2
    positions = torch.arange(first, first + len(x))
    angle = angles(positions, architecture.head_dim, architecture.rope_theta)
    uncertain = 4 * unit**2 + (2 * angle * _ACCUMULATED).square()
    pairs = x.view(len(x), -1, 2, half).square().sum(2)
    found = (pairs * uncertain[:, None])[:, :, None].expand(-1, -1, 2, -1)
    return found.reshape(x.shape).contiguous()


def _attention(inputs: Mapping[str, Tensor], architecture: Architecture, unit: float) -> Tensor:
    a, count = architecture, len(inputs["q"])
    group = a.heads // a.kv_heads
    q = inputs["q"].view(count, a.heads, a.head_dim).transpose(0, 1)
    k, v = (
        inputs[name].view(count, a.kv_heads, a.head_dim).transpose(0, 1).repeat_interleave(group, 0)
        for name in ("k", "v")
    )
    rounded = unit > _ACCUMULATED
    hidden = torch.ones(count, count, dtype=torch.bool).triu(1)
    scores = q @ k.transpose(1, 2) / math.sqrt(a.head_dim)
    terms = q.square() @ k.square().transpose(1, 2) / a.head_dim
    shares = scores.masked_fill(hidden, -torch.inf).softmax(-1)
    wrong = _ACCUMULATED**2 * (a.head_dim / 2 * (terms + scores.square()) + 4)
    if rounded:
        wrong = wrong + unit**2 * (2 * terms + scores.square())
    wrong = wrong.masked_fill(hidden, 0)
    # d(Σ p v) = Σ p v (e - Σ p e)
    weights = shares.square()
    common = (weights * wrong).sum(-1, keepdim=True)
    mixed = (weights * (wrong + common + _ACCUMULATED**2 * count / 2 + (3 * unit**2 if rounded else 0))) @ (
        v.square()
    )
    return mixed.transpose(0, 1).reshape(count, -1)


def excess(difference: Tensor, sigma: Tensor) -> float:
    """Return how many times over its budget a stage is, at its worst token or value; NaN counts as inf."""
    if not bool(torch.isfinite(difference).all()):
        return math.inf
    tokens = (difference.norm(dim=-1) / sigma.norm(dim=-1)).max() / OF_A_TOKEN
    values = (difference.abs() / sigma).max() / OF_A_VALUE
    return float(torch.maximum(tokens, values))
