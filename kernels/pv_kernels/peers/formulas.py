"""Each formula as a user of torch writes it: run as it is (eager), and what torch.compile is given."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = [
    "add_rms_norm",
    "causal_attention",
    "decode_attention",
    "prefill_by_torch",
    "rms_norm",
    "rms_norm_by_torch",
    "rope",
    "softmax",
    "swiglu",
]


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """As transformers has it: in float32, rounded, times the weight."""
    x32 = x.float()
    normalised = x32 * torch.rsqrt(x32.square().mean(-1, keepdim=True) + eps)
    return weight * normalised.to(x.dtype)


def rms_norm_by_torch(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """``torch.nn.functional.rms_norm``."""
    return functional.rms_norm(x, (x.shape[-1],), weight, eps)


def add_rms_norm(x: Tensor, residual: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Add, then normalise with torch's function."""
    total = x + residual
    return functional.rms_norm(total, (total.shape[-1],), weight, eps), total


def rope(q: Tensor, k: Tensor, positions: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
    """As transformers has it: gather the factors, double them, ``x cos + rotate_half(x) sin``."""

    def factors(side: Tensor) -> Tensor:
        return side[positions].repeat(1, 2)[:, None].to(q.dtype)

    cosines, sines = factors(cos), factors(sin)

    def rotated(x: Tensor) -> Tensor:
        low, high = x.chunk(2, dim=-1)
        return x * cosines + torch.cat([-high, low], dim=-1) * sines

    return rotated(q), rotated(k)


def softmax(x: Tensor) -> Tensor:
    """``torch.softmax``."""
    return torch.softmax(x, dim=-1)


def swiglu(gate: Tensor, up: Tensor) -> Tensor:
    """``silu(gate) * up``."""
    return functional.silu(gate) * up


def causal_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Take torch's scaled_dot_product_attention, causal, over as many keys as tokens."""
    return functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)


def prefill_by_torch(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention written out: scores, mask, softmax, product."""
    group = q.shape[1] // k.shape[1]
    keys, values = (part.repeat_interleave(group, dim=1) for part in (k, v))
    scores = q @ keys.mT * q.shape[-1] ** -0.5
    seen = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).tril()
    shares = torch.softmax(scores.masked_fill(~seen, float("-inf")), dim=-1, dtype=torch.float32)
    return shares.to(q.dtype) @ values


def decode_attention(q: Tensor, k: Tensor, v: Tensor, lengths: Tensor) -> Tensor:
    """Take torch's scaled_dot_product_attention of one token a sequence, all of the cache being filled."""
    del lengths
    return functional.scaled_dot_product_attention(q[:, :, None], k, v, enable_gqa=True)[:, :, 0]
