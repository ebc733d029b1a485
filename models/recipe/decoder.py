"""A Qwen2-style decoder whose parameter names are those of Hugging Face's `Qwen2ForCausalLM`.

Pre-norm blocks: x + attention(RMSNorm(x)), then x + SwiGLU(RMSNorm(x)); rotary positions on split
halves; grouped queries; biases on q, k and v only; the output matrix is the embedding (tied).
"""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclasses.dataclass(frozen=True)
class Shape:
    """The dimensions of a decoder; ``heads * head_width == hidden``."""

    name: str
    hidden: int
    layers: int
    heads: int
    key_value_heads: int
    feed_forward: int
    vocabulary: int = 4096
    context: int = 512
    rope_theta: float = 1_000_000.0
    epsilon: float = 1e-6

    @property
    def head_width(self) -> int:
        """Elements of one head."""
        return self.hidden // self.heads


class RMSNorm(nn.Module):
    """y = x / sqrt(mean(x²) + ε) · weight, in float32 (Zhang and Sennrich, 2019)."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last axis."""
        wide = x.float()
        return (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.epsilon)).to(
            x.dtype
        ) * self.weight


def rotary_angles(shape: Shape, length: int) -> Tensor:
    """θ[p, i] = p · theta^(-2i/d) for positions p and i < d/2; float32 [length, head_width // 2]."""
    exponent = torch.arange(0, shape.head_width, 2, dtype=torch.float32) / shape.head_width
    return torch.outer(torch.arange(length, dtype=torch.float32), shape.rope_theta**-exponent)


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """Rotate each pair (x[i], x[i + d/2]) by its angle (Su et al., 2021; NEOX's split halves).

    Parameters
    ----------
    x
        [batch, heads, length, d].
    angles
        [length, d // 2], radians.
    """
    first, second = x.float().chunk(2, dim=-1)
    cosine, sine = angles.cos(), angles.sin()
    return torch.cat((first * cosine - second * sine, second * cosine + first * sine), dim=-1).to(x.dtype)


class Attention(nn.Module):
    """Causal attention of `heads` queries in groups over `key_value_heads` keys and values."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        narrow = shape.key_value_heads * shape.head_width
        self.q_proj = nn.Linear(shape.hidden, shape.hidden, bias=True)
        self.k_proj = nn.Linear(shape.hidden, narrow, bias=True)
        self.v_proj = nn.Linear(shape.hidden, narrow, bias=True)
        self.o_proj = nn.Linear(shape.hidden, shape.hidden, bias=False)

    def forward(self, x: Tensor, angles: Tensor) -> Tensor:
        """Attend; `x` is [batch, length, hidden]."""
        batch, length, hidden = x.shape
        width = self.shape.head_width
        query = self.q_proj(x).view(batch, length, -1, width).transpose(1, 2)
        key = self.k_proj(x).view(batch, length, -1, width).transpose(1, 2)
        value = self.v_proj(x).view(batch, length, -1, width).transpose(1, 2)
        group = self.shape.heads // self.shape.key_value_heads
        key = rotate(key, angles).repeat_interleave(group, dim=1)
        value = value.repeat_interleave(group, dim=1)
        mixed = functional.scaled_dot_product_attention(rotate(query, angles), key, value, is_causal=True)
        output: Tensor = self.o_proj(mixed.transpose(1, 2).reshape(batch, length, hidden))
        return output


class FeedForward(nn.Module):
    """SwiGLU: down(silu(gate(x)) · up(x)) (Shazeer, 2020)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden, shape.feed_forward, bias=False)
        self.up_proj = nn.Linear(shape.hidden, shape.feed_forward, bias=False)
        self.down_proj = nn.Linear(shape.feed_forward, shape.hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Apply to the last axis."""
        output: Tensor = self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))
        return output


class Block(nn.Module):
    """One layer."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(shape.hidden, shape.epsilon)
        self.self_attn = Attention(shape)
        self.post_attention_layernorm = RMSNorm(shape.hidden, shape.epsilon)
        self.mlp = FeedForward(shape)

    def forward(self, x: Tensor, angles: Tensor) -> Tensor:
        """Map [batch, length, hidden] to the same shape."""
        x = x + self.self_attn(self.input_layernorm(x), angles)
        output: Tensor = x + self.mlp(self.post_attention_layernorm(x))
        return output


class Trunk(nn.Module):
    """Everything but the output matrix; the name of each part is Hugging Face's."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocabulary, shape.hidden)
        self.layers = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = RMSNorm(shape.hidden, shape.epsilon)


class Decoder(nn.Module):
    """Token identifiers to logits."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.model = Trunk(shape)
        self._initialise()

    def _initialise(self) -> None:
        # Residual branches start smaller, so that depth does not grow the variance (GPT-2).
        residual = 0.02 / math.sqrt(2 * self.shape.layers)
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif parameter.ndim == 2:
                branch_end = name.endswith(("o_proj.weight", "down_proj.weight"))
                nn.init.normal_(parameter, std=residual if branch_end else 0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits [batch, length, vocabulary] of `tokens`, int64 [batch, length]."""
        x = self.model.embed_tokens(tokens)
        angles = rotary_angles(self.shape, tokens.shape[1])
        for block in self.model.layers:
            x = block(x, angles)
        return functional.linear(self.model.norm(x), self.model.embed_tokens.weight)
