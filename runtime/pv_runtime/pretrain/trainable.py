"""The decoder of `model.Decoder` as a module that can be trained.

The mathematics is the same: x + attention(RMSNorm(x)), then x + SwiGLU(RMSNorm(x)); rotary positions on split
halves; grouped queries. What differs is that nothing can be tapped, that attention is torch's fused one, and
that parameters have the names of Hugging Face's tensors, so that a checkpoint is a list of them.

It trains on one device. For several, `accelerate` or torch's own wrappers take a module whose ``forward``
returns the loss, an optimiser, and batches that follow from a number: this is one, `optimiser.adamw` makes
the other, and `batches.Batches` gives any rank its share when it is asked for every n-th position.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from pv_runtime.architecture import Architecture
from pv_runtime.pretrain.head_loss import head_loss

__all__ = ["Trainable", "assemble"]

Rotation = tuple[Tensor, Tensor]


class RMSNorm(nn.Module):
    """x / sqrt(mean(x²) + ε) · weight, the quotient in float32 (Zhang and Sennrich 2019)."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last axis."""
        wide = functional.rms_norm(x.float(), self.weight.shape, eps=self.epsilon)
        return wide.to(x.dtype) * self.weight


class Attention(nn.Module):
    """Causal attention of `heads` queries in groups over `kv_heads` keys and values."""

    def __init__(self, a: Architecture) -> None:
        super().__init__()
        self.head_dim = a.head_dim
        self.q_proj = nn.Linear(a.hidden_size, a.query_size, bias=a.qkv_bias)
        self.k_proj = nn.Linear(a.hidden_size, a.kv_size, bias=a.qkv_bias)
        self.v_proj = nn.Linear(a.hidden_size, a.kv_size, bias=a.qkv_bias)
        self.o_proj = nn.Linear(a.query_size, a.hidden_size, bias=False)
        self.grouped = a.heads != a.kv_heads

    def forward(self, x: Tensor, rotation: Rotation) -> Tensor:
        """Mix the positions: ``[batch, tokens, hidden]`` to the same."""
        batch, count, _ = x.shape
        q, k, v = (
            part(x).view(batch, count, -1, self.head_dim).transpose(1, 2)
            for part in (self.q_proj, self.k_proj, self.v_proj)
        )
        mixed = functional.scaled_dot_product_attention(
            rotate(q, rotation), rotate(k, rotation), v, is_causal=True, enable_gqa=self.grouped
        )
        output: Tensor = self.o_proj(mixed.transpose(1, 2).reshape(batch, count, -1))
        return output


class FeedForward(nn.Module):
    """down(silu(gate(x)) · up(x)) (Shazeer 2020)."""

    def __init__(self, a: Architecture) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(a.hidden_size, a.intermediate_size, bias=False)
        self.up_proj = nn.Linear(a.hidden_size, a.intermediate_size, bias=False)
        self.down_proj = nn.Linear(a.intermediate_size, a.hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Apply to the last axis."""
        output: Tensor = self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))
        return output


class Block(nn.Module):
    """One layer."""

    def __init__(self, a: Architecture) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(a.hidden_size, a.rms_norm_eps)
        self.self_attn = Attention(a)
        self.post_attention_layernorm = RMSNorm(a.hidden_size, a.rms_norm_eps)
        self.mlp = FeedForward(a)

    def forward(self, x: Tensor, rotation: Rotation) -> Tensor:
        """Map ``[batch, tokens, hidden]`` to the same shape."""
        x = x + self.self_attn(self.input_layernorm(x), rotation)
        output: Tensor = x + self.mlp(self.post_attention_layernorm(x))
        return output


class Trunk(nn.Module):
    """Everything below the head; the name of each part is Hugging Face's."""

    def __init__(self, a: Architecture) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(a.vocab_size, a.hidden_size)
        self.layers = nn.ModuleList(Block(a) for _ in range(a.layers))
        self.norm = RMSNorm(a.hidden_size, a.rms_norm_eps)


class Trainable(nn.Module):
    """Tokens to the loss, or to logits; of float32 weights.

    Parameters
    ----------
    architecture
        A tied head is the embedding's own parameter, and counted once.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.model = Trunk(architecture)
        if not architecture.tied:
            self.lm_head = nn.Linear(architecture.hidden_size, architecture.vocab_size, bias=False)

    @property
    def head(self) -> Tensor:
        """``[vocab, hidden]``: the embedding itself where the model is tied."""
        return self.model.embed_tokens.weight if self.architecture.tied else self.lm_head.weight

    def logits(self, tokens: Tensor) -> Tensor:
        """Return ``[batch, tokens, vocab]`` of int64 ``[batch, tokens]``."""
        return functional.linear(self.hidden(tokens), self.head)

    def hidden(self, tokens: Tensor) -> Tensor:
        """Return what the head is given: ``[batch, tokens, hidden]`` of int64 ``[batch, tokens]``."""
        x = self.model.embed_tokens(tokens)
        rotation = angles(self.architecture, tokens.shape[1], tokens.device)
        for block in self.model.layers:
            x = block(x, rotation)
        output: Tensor = self.model.norm(x)
        return output

    def forward(self, tokens: Tensor, targets: Tensor) -> Tensor:
        """Return the mean of -ln p(target), in nats, over all positions.

        Logits are there for some positions at a time only, forward and backward.

        Parameters
        ----------
        tokens, targets
            int64 ``[batch, tokens]``; a target is the token after the one at its place.
        """
        return self.total(tokens, targets) / targets.numel()

    def total(self, tokens: Tensor, targets: Tensor) -> Tensor:
        """Return the sum whose mean is ``forward``'s."""
        return head_loss(self.hidden(tokens).flatten(0, 1), self.head, targets.flatten())


def angles(a: Architecture, count: int, device: torch.device) -> Rotation:
    """Cosine and sine of p · theta^(-2i/d) for both halves, float32 ``[count, head_dim]``.

    The sines of the first half are negative.
    """
    exponent = torch.arange(0, a.head_dim, 2, dtype=torch.float32, device=device) / a.head_dim
    positions = torch.arange(count, dtype=torch.float32, device=device)
    turned = positions[:, None] * (1.0 / a.rope_theta**exponent)
    cos, sin = turned.cos(), turned.sin()
    return torch.cat([cos, cos], dim=-1), torch.cat([-sin, sin], dim=-1)


def rotate(x: Tensor, rotation: Rotation) -> Tensor:
    """Turn the pairs (xᵢ, xᵢ₊d/2) of ``[batch, heads, tokens, head_dim]`` (Su et al. 2021), in float32."""
    cos, sin = rotation
    wide = x.float()
    return (wide * cos + wide.roll(x.shape[-1] // 2, dims=-1) * sin).to(x.dtype)


def assemble(architecture: Architecture, weights: Mapping[str, Tensor]) -> Trainable:
    """Return a module whose parameters are `weights`: all of them, and no other ones.

    No memory is taken beside theirs: the module is made without storage, and given theirs.

    Raises
    ------
    RuntimeError
        A name is missing or unknown, or a shape is another one.
    """
    with torch.device("meta"):
        module = Trainable(architecture)
    module.load_state_dict(dict(weights), strict=True, assign=True)
    for parameter in module.parameters():
        parameter.requires_grad_(True)
    return module
