"""A step of decoding as a user of torch writes it: the peer of our kernels' step, and its reference.

Blocks are a function of tensors of one shape, so that torch.compile compiles one of them, once, and all are
computed by it. Attention is torch's scaled_dot_product_attention over the positions there are.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from pv_runtime.architecture import Architecture
from pv_runtime.device_weights import DeviceWeights
from pv_runtime.triton_matrix import PlainMatrix, StackedMatrix

__all__ = ["PlainStep"]

Block = Callable[..., Tensor]


class PlainStep:
    """Compute one token behind `length` others, whose keys and values are kept.

    Parameters
    ----------
    weights
        All matrices of one part, unpacked.
    kept
        Of each block ``[batch, length, 2 kv_size]``, keys and values beside each other.
    compiled
        Whether torch.compile makes the block.
    """

    def __init__(self, weights: DeviceWeights, kept: list[Tensor], *, compiled: bool = False) -> None:
        self.weights, self.architecture = weights, weights.architecture
        a = self.architecture
        self._kept = [_with_room(each, a) for each in kept]
        length = kept[0].shape[1]
        exponent = torch.arange(0, a.head_dim, 2, dtype=torch.float32, device=weights.device) / a.head_dim
        angles = length * (1.0 / a.rope_theta**exponent)
        self._cos, self._sin = (
            torch.cat([side, side]).to(weights.dtype) for side in (angles.cos(), angles.sin())
        )
        self._block: Block = _block
        self._end = _end
        if compiled:
            # Its helpers are processes, which would be left over when a check ends.
            torch._inductor.config.compile_threads = 1  # noqa: SLF001
            self._block, self._end = (torch.compile(part, dynamic=False) for part in (_block, _end))

    @torch.no_grad()
    def __call__(self, tokens: Tensor) -> Tensor:
        """Compute int64 ``[batch, 1]``; return logits ``[batch, 1, vocab]``."""
        a, weights = self.architecture, self.weights
        x = functional.embedding(tokens[:, 0], weights.embedding)
        bias = x.new_zeros(a.query_size + 2 * a.kv_size)
        for layer, (keys, values) in zip(weights.layers, self._kept, strict=True):
            x = self._block(
                x,
                *(layer.attn_norm, _matrix(layer.qkv), bias if layer.qkv_bias is None else layer.qkv_bias),
                *(keys, values, self._cos, self._sin, _matrix(layer.attn_out)),
                *(layer.ffn_norm, _matrix(layer.gate_up), _matrix(layer.down)),
                *(a.heads, a.kv_heads, a.head_dim, a.rms_norm_eps),
            )
        return self._end(x, weights.final_norm, _matrix(weights.head), a.rms_norm_eps)[:, None]


def _matrix(stack: StackedMatrix) -> Tensor:
    (part,) = stack.parts
    if not isinstance(part, PlainMatrix):
        raise TypeError(f"a matrix in {part.form} is to be unpacked first: see device_weights.plain")
    return part.values


def _with_room(kept: Tensor, a: Architecture) -> tuple[Tensor, Tensor]:
    """Return keys and values ``[batch, kv_heads, length + 1, head_dim]``, the last position still zeros."""
    room = torch.cat([kept, torch.zeros_like(kept[:, :1])], dim=1)
    parts = room.unflatten(-1, (2, a.kv_heads, a.head_dim)).permute(2, 0, 3, 1, 4).contiguous()
    return parts[0], parts[1]


def _block(
    x: Tensor,
    attn_norm: Tensor,
    qkv: Tensor,
    bias: Tensor,
    keys: Tensor,
    values: Tensor,
    cos: Tensor,
    sin: Tensor,
    attn_out: Tensor,
    ffn_norm: Tensor,
    gate_up: Tensor,
    down: Tensor,
    heads: int,
    kv_heads: int,
    head_dim: int,
    eps: float,
) -> Tensor:
    normed = functional.rms_norm(x, attn_norm.shape, attn_norm, eps)
    projected = functional.linear(normed, qkv, bias).unflatten(-1, (heads + 2 * kv_heads, head_dim))
    q, k, v = projected.split([heads, kv_heads, kv_heads], dim=1)
    keys[:, :, -1] = _turned(k, cos, sin)
    values[:, :, -1] = v
    mixed = functional.scaled_dot_product_attention(
        _turned(q, cos, sin)[:, :, None], keys, values, enable_gqa=True
    )
    x = x + functional.linear(mixed.flatten(1), attn_out)
    normed = functional.rms_norm(x, ffn_norm.shape, ffn_norm, eps)
    gate, up = functional.linear(normed, gate_up).chunk(2, dim=-1)
    return x + functional.linear(functional.silu(gate) * up, down)


def _turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    low, high = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-high, low], dim=-1) * sin


def _end(x: Tensor, final_norm: Tensor, head: Tensor, eps: float) -> Tensor:
    return functional.linear(functional.rms_norm(x, final_norm.shape, final_norm, eps), head)
