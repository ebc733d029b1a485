"""Attention as the formula has it, and how far rounding may carry it: shared by decode and prefill.

Shapes: q ``[batch, heads, tokens, head_dim]``; k and v ``[batch, kv_heads, keys, head_dim]``; seen, which
token sees which key, ``[batch or 1, 1, tokens, keys]``.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pv_kernels.rounding import gamma, underflow, unit_roundoff

__all__ = ["allowed_error", "attend"]


def attend(q: Tensor, k: Tensor, v: Tensor, seen: Tensor, scale: float) -> Tensor:
    """Return softmax(q k^T scale) v over what is seen, in float64; NaN where nothing is."""
    _, shares = _shares(q, k, seen, scale)
    return shares @ _for_each_head(v, q)


def allowed_error(
    q: Tensor, k: Tensor, v: Tensor, seen: Tensor, scale: float, *, block: int, splits: int = 1
) -> Tensor:
    """Bound ``|fl(y) - y|`` by the roundings on the way to y, where keys are taken `block` at a time.

    A score is a sum of d products. float32 rounds each product and each sum; a matrix unit truncates the sum,
    which is twice as much (Fasi, Higham, Mikaitis and Pranesh 2021, PeerJ CS 7:e330): ``gamma(2 d + 2)`` of
    the sum of magnitudes. The scale, the log2(e) in it and their product with the score are three roundings
    of its size. All of these shift the exponent, and so are relative errors of the share p.

    With x the distance of a score from the greatest: the difference is rounded, and the powers of 2 that the
    running maximum is made up for add up to it, ``3 x``; each ``ex2.approx`` is within 2^-22 (PTX ISA), 4 u,
    and each tile rescales by one, a product and a sum, 6. So does each split once, and the splits are summed.

    Numerator: every term has the error of its share, of its rounding to the elements' type, where that is
    shorter, and of the sums it passes through. Denominator: the same, weighed by the shares. Shares that are
    too small for their type lose `underflow`, where the greatest is 1. Last the quotient, 4 u, and the type
    of y.
    """
    scores, shares = _shares(q, k, seen, scale)
    magnitudes = q.double().abs() @ _for_each_head(k, q).abs().mT * scale
    distance = (scores.amax(-1, keepdim=True) - scores).nan_to_num(0, 0, 0).clamp(max=110)
    tiles = -(-k.shape[2] // block) + splits
    height = 2 * (block + tiles) + splits
    u = unit_roundoff(torch.float32)
    exponent = (
        gamma(2 * q.shape[-1] + 2) * magnitudes.nan_to_num(0, 0, 0) + 3 * u * scores.nan_to_num(0, 0, 0).abs()
    )
    share_error = torch.expm1(exponent + gamma(3 * distance + 6 * tiles + 9))
    short = 0.0 if q.dtype == torch.float32 else unit_roundoff(q.dtype)
    values = _for_each_head(v, q).abs()
    shares = shares.nan_to_num(0)
    numerator = (shares * (share_error + short + gamma(height))) @ values
    numerator += underflow(q.dtype) * (seen.double().expand_as(shares) @ values)
    denominator = (shares * share_error).sum(-1, keepdim=True) + gamma(height + 4)
    size = (shares @ values).abs()
    error = (numerator + size * denominator) / (1 - denominator)
    rounded = unit_roundoff(q.dtype)
    return error * (1 + rounded) + size * rounded + underflow(q.dtype)


def _shares(q: Tensor, k: Tensor, seen: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """Return the scores, minus infinity where a key is not seen, and their softmax."""
    scores = (q.double() @ _for_each_head(k, q).mT * scale).masked_fill(~seen, float("-inf"))
    powers = torch.exp(scores - scores.amax(-1, keepdim=True))
    return scores, powers / powers.sum(-1, keepdim=True)


def _for_each_head(part: Tensor, q: Tensor) -> Tensor:
    """Write each key head out for the query heads that share it, in float64."""
    return part.double().repeat_interleave(q.shape[1] // part.shape[1], dim=1)
