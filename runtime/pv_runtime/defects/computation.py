"""Decoders that do one thing otherwise, as programs have done."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from pv_runtime.cache import Cache
from pv_runtime.model import Decoder, Rotation
from pv_runtime.stages import Tap, untapped
from pv_runtime.weights import LayerWeights

__all__ = [
    "LAYER", "AddsOneToNormWeights", "AllHeadsOverKeyHeadsReversed", "BackwardsSummation",
    "BfloatAngles", "CacheRowNotWritten", "CentredNorm", "DropsResidual", "Gelu",
    "InterleavedRotation", "LargeEpsilon", "LogitsOfTheTokenBefore", "MaskNotMoved",
    "PositionsFromOne", "PositionsRestart", "RotaryBase", "ScaledEmbedding", "SeesAhead",
    "SiluOfUp", "SkipsLayer", "SlidingWindow", "SoftmaxOverQueries", "TiledKeysAndValues",
    "TiledValues", "UnscaledScores",
]  # fmt: skip

LAYER = 2
"""Where defects of one block are planted."""


class _OwnRotation(Decoder):
    """Turns pairs by angles that a subclass may change."""

    def frequencies(self) -> Tensor:
        """Return theta^(-2i/d)."""
        width = self.architecture.head_dim
        return self.architecture.rope_theta ** -(torch.arange(0, width, 2, dtype=torch.float32) / width)

    def rotation(self, positions: Tensor) -> Rotation:
        """Return cosine and sine, ``[batch, tokens, 1, head_dim / 2]``."""
        angles = positions[:, :, None, None].float() * self.frequencies()
        return angles.cos(), angles.sin()

    def rotate(self, x: Tensor, rotation: Rotation) -> Tensor:
        """Turn halves."""
        cos, sin = rotation
        first, second = x.chunk(2, dim=-1)
        return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


class InterleavedRotation(_OwnRotation):
    """Turns neighbouring features, as models of the GPT-J kind do."""

    def rotate(self, x: Tensor, rotation: Rotation) -> Tensor:
        """Turn pairs (x₂ᵢ, x₂ᵢ₊₁)."""
        cos, sin = rotation
        first, second = x[..., 0::2], x[..., 1::2]
        return torch.stack([first * cos - second * sin, second * cos + first * sin], dim=-1).flatten(-2)


class RotaryBase(_OwnRotation):
    """Takes the base that is usual elsewhere."""

    def frequencies(self) -> Tensor:
        """Return 10000^(-2i/d)."""
        width = self.architecture.head_dim
        return 1e4 ** -(torch.arange(0, width, 2, dtype=torch.float32) / width)


class BfloatAngles(_OwnRotation):
    """Keeps frequencies in bfloat16, as a model converted as a whole does."""

    def frequencies(self) -> Tensor:
        """Round them."""
        return super().frequencies().bfloat16().float()


class PositionsFromOne(Decoder):
    """Counts positions from 1."""

    def positions(self, attended: Tensor) -> Tensor:
        """Forget to subtract."""
        return attended.cumsum(1)


class PositionsRestart(Decoder):
    """Counts positions from 0 in every pass."""

    def rotation(self, positions: Tensor) -> Rotation:
        """Ignore what the cache holds."""
        return super().rotation(positions - positions[:, :1])


class SeesAhead(Decoder):
    """Has no causal mask."""

    def mask(self, attended: Tensor, count: int) -> Tensor | None:  # noqa: ARG002
        """Hide nothing."""
        return None


class MaskNotMoved(Decoder):
    """Masks as if the cache were empty."""

    def mask(self, attended: Tensor, count: int) -> Tensor | None:
        """Count the mask's rows from the first position, not from the first new one."""
        everything = attended.shape[1]
        return torch.ones(count, everything, dtype=torch.bool).tril()[None, None] & attended[:, None, None, :]


class SlidingWindow(Decoder):
    """Looks at the last eight tokens only."""

    def mask(self, attended: Tensor, count: int) -> Tensor | None:
        """Hide what is eight tokens back."""
        everything = attended.shape[1]
        causal = torch.ones(count, everything, dtype=torch.bool).tril(everything - count)
        return (causal & ~causal.tril(everything - count - 8))[None, None]


class AllHeadsOverKeyHeadsReversed(Decoder):
    """Gives query heads the key heads from the other end."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        """Flip keys and values."""
        return super().attend(q, k.flip(1), v.flip(1), mask)


class TiledKeysAndValues(Decoder):
    """Repeats all key heads in turn (0 1 0 1) and not each by itself (0 0 1 1)."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        """Tile."""
        times = q.shape[1] // k.shape[1]
        return super().attend(q, k.repeat(1, times, 1, 1), v.repeat(1, times, 1, 1), mask)


class TiledValues(Decoder):
    """Does so for values, and keys as they should be."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        """Tile the one and repeat the other."""
        times = q.shape[1] // k.shape[1]
        return super().attend(q, k.repeat_interleave(times, 1), v.repeat(1, times, 1, 1), mask)


class UnscaledScores(Decoder):
    """Does not divide scores by sqrt(d)."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        """Undo the division."""
        return super().attend(q * math.sqrt(q.shape[-1]), k, v, mask)


class SoftmaxOverQueries(Decoder):
    """Sums the softmax over the wrong axis."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        """Normalise columns instead of rows."""
        k, v = (each.repeat_interleave(q.shape[1] // each.shape[1], 1) for each in (k, v))
        scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        return scores.softmax(dim=-2) @ v


class _StaleCache(Cache):
    """Does not write the newest row once there is a prompt."""

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        before = self.length
        all_keys, all_values = super().extend(layer, keys, values)
        if before:
            all_keys[:, :, -1] = 0
            all_values[:, :, -1] = 0
        return all_keys, all_values


class CacheRowNotWritten(Decoder):
    """Has a cache that is one row behind."""

    def cache(self, batch: int = 1, capacity: int = 256) -> Cache:
        """Return one that is."""
        return _StaleCache(self.architecture, batch, capacity=capacity, dtype=self.weights.dtype)


class LargeEpsilon(Decoder):
    """Takes the ε of other models."""

    def norm(self, x: Tensor, weight: Tensor) -> Tensor:
        """Add 1e-5."""
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5) * weight


class AddsOneToNormWeights(Decoder):
    """Takes norm weights for Gemma's, which are stored less one."""

    def norm(self, x: Tensor, weight: Tensor) -> Tensor:
        """Multiply by 1 + weight."""
        return super().norm(x, weight + 1)


class CentredNorm(Decoder):
    """Computes LayerNorm."""

    def norm(self, x: Tensor, weight: Tensor) -> Tensor:
        """Subtract the mean."""
        return super().norm(x - x.mean(-1, keepdim=True), weight)


class SiluOfUp(Decoder):
    """Activates the wrong one of two."""

    def feed_forward(self, index: int, weights: LayerWeights, x: Tensor, tap: Tap) -> Tensor:
        """silu(up) · gate."""
        x = tap("ffn_norm", index, self.norm(x, weights.ffn_norm))
        gate = tap("ffn_gate", index, functional.linear(x, weights.gate))
        up = tap("ffn_up", index, functional.linear(x, weights.up))
        active = tap("ffn_silu", index, functional.silu(up))
        return tap("ffn_out", index, functional.linear(tap("ffn_swiglu", index, active * gate), weights.down))


class Gelu(Decoder):
    """Takes another activation."""

    def feed_forward(self, index: int, weights: LayerWeights, x: Tensor, tap: Tap) -> Tensor:
        """gelu(gate) · up."""
        x = tap("ffn_norm", index, self.norm(x, weights.ffn_norm))
        gate = tap("ffn_gate", index, functional.linear(x, weights.gate))
        up = tap("ffn_up", index, functional.linear(x, weights.up))
        active = tap("ffn_silu", index, functional.gelu(gate, approximate="tanh"))
        return tap("ffn_out", index, functional.linear(tap("ffn_swiglu", index, active * up), weights.down))


class DropsResidual(Decoder):
    """Forgets the stream in one block."""

    def block(
        self, index: int, x: Tensor, rotation: Rotation, mask: Tensor | None, cache: Cache | None, tap: Tap
    ) -> Tensor:
        """Add nothing to what attention returns."""
        if index != LAYER:
            return super().block(index, x, rotation, mask, cache, tap)
        weights = self.weights.layer(index)
        x = tap("post_attn_residual", index, self.attention(index, weights, x, rotation, mask, cache, tap))
        return tap("layer_output", index, x + self.feed_forward(index, weights, x, tap))


class SkipsLayer(Decoder):
    """Leaves one block out."""

    def block(
        self, index: int, x: Tensor, rotation: Rotation, mask: Tensor | None, cache: Cache | None, tap: Tap
    ) -> Tensor:
        """Pass through."""
        return x if index == LAYER else super().block(index, x, rotation, mask, cache, tap)


class ScaledEmbedding(Decoder):
    """Multiplies embeddings by sqrt(hidden), as Gemma does."""

    def embed(self, tokens: Tensor) -> Tensor:
        """Look up and scale."""
        return super().embed(tokens) * math.sqrt(self.architecture.hidden_size)


class LogitsOfTheTokenBefore(Decoder):
    """Returns logits one token late."""

    def forward(
        self,
        tokens: Tensor,
        *,
        attended: Tensor | None = None,
        cache: Cache | None = None,
        tap: Tap = untapped,
        last: bool = False,
    ) -> Tensor:
        """Shift what is returned."""
        logits = super().forward(tokens, attended=attended, cache=cache, tap=tap, last=last)
        return logits.roll(1, 1) if logits.shape[1] > 1 else logits


class BackwardsSummation(Decoder):
    """Adds up in another order: nothing is wrong with it."""

    def norm(self, x: Tensor, weight: Tensor) -> Tensor:
        """Sum the squares one after the other."""
        mean = x.square().flip(-1).cumsum(-1)[..., -1:] / x.shape[-1]
        return x / torch.sqrt(mean + self.architecture.rms_norm_eps) * weight

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        """Take one key after the other, as kernels do that keep a running maximum and sum."""
        k, v = (each.repeat_interleave(q.shape[1] // each.shape[1], 1) for each in (k, v))
        most = torch.full(q.shape[:-1], -torch.inf)
        total, mixed = torch.zeros(q.shape[:-1]), torch.zeros_like(q)
        for place in reversed(range(k.shape[2])):
            score = (q * k[:, :, place, None]).sum(-1) / math.sqrt(q.shape[-1])
            if mask is not None:
                score = score.masked_fill(~mask[..., place], -torch.inf)
            higher = torch.maximum(most, score)
            keep = torch.where(most.isinf(), 0.0, torch.exp(most - higher))
            weight = torch.where(score.isinf(), 0.0, torch.exp(score - higher))
            total = total * keep + weight
            mixed = mixed * keep[..., None] + weight[..., None] * v[:, :, place, None]
            most = higher
        return mixed / total[..., None]
