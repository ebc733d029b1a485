"""Each formula as a user of torch writes it: run as it is (eager), and what torch.compile is given."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = [
    "add_rms_norm",
    "causal_attention",
    "cross_entropy",
    "cross_entropy_with_gradient",
    "decode_attention",
    "matmul",
    "prefill_by_torch",
    "rms_norm",
    "rms_norm_backward",
    "rms_norm_by_torch",
    "rope",
    "rope_backward",
    "softmax",
    "swiglu",
    "swiglu_backward",
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


def matmul(x: Tensor, weight: Tensor) -> Tensor:
    """Multiply as a linear layer does: cuBLAS, on a GPU."""
    return functional.linear(x, weight)


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Take torch's function of each row, in float32 as those who train do."""
    return functional.cross_entropy(logits.float(), targets, reduction="none")


def cross_entropy_with_gradient(logits: Tensor, targets: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
    """Return the loss, and ``(softmax(x) - 1 at the target)`` times what is upstream."""
    logs = torch.log_softmax(logits.float(), dim=-1)
    at = targets[:, None]
    columns = torch.arange(logits.shape[-1], device=logits.device)
    gradient = (logs.exp() - (columns == at).float()) * upstream[:, None]
    return -logs.gather(-1, at)[:, 0], gradient.to(logits.dtype)


def rms_norm_backward(dy: Tensor, x: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Return the gradients of x and of the weight, in float32 until they are rounded."""
    x32, dy32 = x.float(), dy.float()
    root = torch.rsqrt(x32.square().mean(-1, keepdim=True) + eps)
    unit, slope = x32 * root, dy32 * weight.float()
    dx = (slope - unit * (slope * unit).mean(-1, keepdim=True)) * root
    return dx.to(x.dtype), (dy32 * unit).flatten(0, -2).sum(0).to(x.dtype)


def swiglu_backward(dy: Tensor, gate: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradients of gate and up."""
    dy32, gate32, up32 = dy.float(), gate.float(), up.float()
    sigmoid = torch.sigmoid(gate32)
    dgate = dy32 * up32 * sigmoid * (1 + gate32 * (1 - sigmoid))
    return dgate.to(dy.dtype), (dy32 * gate32 * sigmoid).to(dy.dtype)


def rope_backward(
    dq: Tensor, dk: Tensor, positions: Tensor, cos: Tensor, sin: Tensor
) -> tuple[Tensor, Tensor]:
    """Rotate back."""
    return rope(dq, dk, positions, cos, -sin)
