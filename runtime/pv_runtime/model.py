"""A decoder, read from top to bottom as data flows.

Pre-norm blocks, x + attention(RMSNorm(x)) and then x + SwiGLU(RMSNorm(x)); rotary positions on split
halves; grouped queries. Every stage of `stages.STAGES` passes through a tap, so that it can be watched,
saved, or replaced by another implementation's. Small parts are methods of their own: a subclass that
overrides one is that implementation with one thing done otherwise.

Sources: Vaswani et al. 2017; RMSNorm, Zhang and Sennrich 2019; RoPE, Su et al. 2021; SwiGLU, Shazeer 2020;
grouped queries, Ainslie et al. 2023.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from pv_runtime.architecture import Architecture
from pv_runtime.cache import Cache
from pv_runtime.errors import ModelError
from pv_runtime.stages import Tap, untapped
from pv_runtime.weights import LayerWeights, StreamedWeights, Weights

__all__ = ["Decoder", "check_tokens", "linear"]

Rotation = tuple[Tensor, Tensor]


class Decoder:
    """A model that computes.

    Parameters
    ----------
    weights
        Of `load_weights`; their dtype is that of the computation, but for norms, softmax and rotary angles,
        which are float32.
    """

    def __init__(self, weights: Weights | StreamedWeights) -> None:
        self.weights = weights
        self.architecture: Architecture = weights.architecture

    def cache(self, batch: int = 1, capacity: int = 256) -> Cache:
        """Return an empty cache for `batch` sequences."""
        return Cache(
            self.architecture, batch, capacity=capacity, dtype=self.weights.dtype, device=self.weights.device
        )

    @torch.inference_mode()
    def forward(
        self,
        tokens: Tensor,
        *,
        attended: Tensor | None = None,
        cache: Cache | None = None,
        tap: Tap = untapped,
        last: bool = False,
    ) -> Tensor:
        """Compute logits.

        Parameters
        ----------
        tokens
            int64 ``[batch, tokens]``.
        attended
            bool of the same shape, False for padding on either side; all True by default.
        cache
            Holds the positions before these; these are added to it.
        tap
            Sees, and may replace, the values of every stage.
        last
            Compute the logits of the last position only.

        Returns
        -------
        Tensor
            ``[batch, tokens, vocab]``, or ``[batch, 1, vocab]`` with `last`, in the dtype of the weights.
            At padding they mean nothing.

        Raises
        ------
        ModelError
            No tokens, ids out of range, or more positions than the model was made for.
        """
        check_tokens(self.architecture, tokens, 0 if cache is None else cache.length)
        if attended is None:
            attended = torch.ones(tokens.shape, dtype=torch.bool, device=tokens.device)
        everything = attended if cache is None else torch.cat([cache.attended, attended], dim=1)
        rotation = self.rotation(self.positions(everything)[:, -tokens.shape[1] :])
        mask = self.mask(everything, tokens.shape[1])

        x = tap("embedding", None, self.embed(tokens))
        for index in range(self.architecture.layers):
            x = self.block(index, x, rotation, mask, cache, tap)
        if cache is not None:
            cache.advance(attended)
        if last:
            x = x[:, -1:]
        x = tap("final_norm", None, self.norm(x, self.weights.final_norm))
        return tap("lm_head", None, linear(x, self.weights.head))

    def block(
        self, index: int, x: Tensor, rotation: Rotation, mask: Tensor | None, cache: Cache | None, tap: Tap
    ) -> Tensor:
        """Compute block `index`: ``[batch, tokens, hidden]`` to the same."""
        weights = self.weights.layer(index)
        x = tap(
            "post_attn_residual", index, x + self.attention(index, weights, x, rotation, mask, cache, tap)
        )
        return tap("layer_output", index, x + self.feed_forward(index, weights, x, tap))

    def attention(
        self,
        index: int,
        weights: LayerWeights,
        x: Tensor,
        rotation: Rotation,
        mask: Tensor | None,
        cache: Cache | None,
        tap: Tap,
    ) -> Tensor:
        """Mix the positions: ``[batch, tokens, hidden]`` to the same."""
        a = self.architecture
        batch, count, _ = x.shape
        x = tap("attn_norm", index, self.norm(x, weights.attn_norm))
        x = tap("qkv_matmul", index, linear(x, weights.qkv))
        x = tap("qkv_bias", index, x if weights.qkv_bias is None else x + weights.qkv_bias)
        q, k, v = torch.split(x, [a.query_size, a.kv_size, a.kv_size], dim=-1)
        q = self.rotate(q.view(batch, count, a.heads, a.head_dim), rotation)
        k = self.rotate(k.view(batch, count, a.kv_heads, a.head_dim), rotation)
        q = tap("q_post_rope", index, q.flatten(2)).view(batch, count, a.heads, a.head_dim).transpose(1, 2)
        k = tap("k_post_rope", index, k.flatten(2)).view(batch, count, a.kv_heads, a.head_dim).transpose(1, 2)
        v = v.reshape(batch, count, a.kv_heads, a.head_dim).transpose(1, 2)
        if cache is not None:
            k, v = cache.extend(index, k, v)
        x = tap("attention", index, self.attend(q, k, v, mask).transpose(1, 2).reshape(batch, count, -1))
        return tap("attn_out", index, linear(x, weights.attn_out))

    def feed_forward(self, index: int, weights: LayerWeights, x: Tensor, tap: Tap) -> Tensor:
        """SwiGLU of the normalised input: ``[batch, tokens, hidden]`` to the same."""
        x = tap("ffn_norm", index, self.norm(x, weights.ffn_norm))
        gate = tap("ffn_gate", index, linear(x, weights.gate))
        up = tap("ffn_up", index, linear(x, weights.up))
        gate = tap("ffn_silu", index, functional.silu(gate))
        return tap("ffn_out", index, linear(tap("ffn_swiglu", index, gate * up), weights.down))

    def embed(self, tokens: Tensor) -> Tensor:
        """Look up ``[batch, tokens]`` in the embedding: ``[batch, tokens, hidden]``."""
        return functional.embedding(tokens, self.weights.embedding).to(self.weights.dtype)

    def norm(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return x / sqrt(mean(x²) + ε) · weight, the quotient in float32."""
        wide = functional.rms_norm(x.float(), weight.shape, eps=self.architecture.rms_norm_eps)
        return wide.to(x.dtype) * weight

    def positions(self, attended: Tensor) -> Tensor:
        """Count the attended positions of each row from 0; int64 of the shape of `attended`."""
        return (attended.cumsum(1) - 1).clamp(min=0)

    def rotation(self, positions: Tensor) -> Rotation:
        """Cosine and sine of the angles p · theta^(-2i/d), for both halves: ``[batch, tokens, 1, head_dim]``.

        The sines of the first half are negative. Angles are float32 as everybody computes them: in float64,
        those at far positions would differ from what the model was trained with.
        """
        a = self.architecture
        exponent = torch.arange(0, a.head_dim, 2, dtype=torch.float32, device=positions.device) / a.head_dim
        angles = positions[:, :, None, None].float() * (1.0 / a.rope_theta**exponent)
        cos, sin = angles.cos().to(self.weights.dtype), angles.sin().to(self.weights.dtype)
        return torch.cat([cos, cos], dim=-1), torch.cat([-sin, sin], dim=-1)

    def rotate(self, x: Tensor, rotation: Rotation) -> Tensor:
        """Turn the pairs (xᵢ, xᵢ₊d/2) of ``[batch, tokens, heads, head_dim]`` by their angles."""
        cos, sin = rotation
        return x * cos + x.roll(x.shape[-1] // 2, dims=-1) * sin

    def mask(self, attended: Tensor, count: int) -> Tensor | None:
        """Which of all positions each of the last `count` may look at.

        bool ``[batch, 1, count, all]``, or None where a single new position may look at everything.
        """
        everything = attended.shape[1]
        if count == 1 and bool(attended.all()):
            return None
        causal = torch.ones(count, everything, dtype=torch.bool, device=attended.device)
        causal = causal.tril(everything - count)
        return causal & attended[:, None, None, :]

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        """softmax(q kᵀ / sqrt(d)) v for each head, the softmax in float32.

        Parameters
        ----------
        q
            ``[batch, heads, tokens, head_dim]``; head h looks at key head h // (heads / kv_heads).
        k, v
            ``[batch, kv_heads, all, head_dim]``.
        mask
            bool ``[batch, 1, tokens, all]``.
        """
        batch, heads, count, width = q.shape
        kv_heads = k.shape[1]
        # The query heads of one key head lie beside each other, and become rows of one product.
        grouped = q.reshape(batch, kv_heads, heads // kv_heads * count, width)
        scores = (grouped @ k.transpose(2, 3)).view(batch, heads, count, -1) / math.sqrt(width)
        if mask is not None:
            # Not -inf: a row of padding would be all -inf, and its softmax NaN.
            scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        shares = scores.softmax(dim=-1, dtype=torch.float32).to(q.dtype)
        mixed = shares.view(batch, kv_heads, heads // kv_heads * count, -1) @ v
        return mixed.view(batch, heads, count, width)


def check_tokens(architecture: Architecture, tokens: Tensor, before: int = 0) -> None:
    """Refuse tokens that a model has no answer to.

    Parameters
    ----------
    architecture
        The model's.
    tokens
        int64 ``[batch, tokens]``.
    before
        Number of positions before these.

    Raises
    ------
    ModelError
        No tokens, ids out of range, or more positions than the model was made for.
    """
    if tokens.ndim != 2 or tokens.numel() == 0:
        raise ModelError(f"there are no tokens: the shape is {list(tokens.shape)}")
    low, high = (int(end) for end in tokens.aminmax())
    if low < 0 or high >= architecture.vocab_size:
        raise ModelError(
            f"token id {low if low < 0 else high} is out of range: the embedding has "
            f"{architecture.vocab_size} rows"
        )
    end = tokens.shape[1] + before
    if end > architecture.max_positions:
        raise ModelError(
            f"{end} positions are more than the {architecture.max_positions} that the model was made for"
        )


def linear(x: Tensor, weight: Tensor) -> Tensor:
    """Return x Wᵀ: ``[…, in]`` and ``[out, in]`` to ``[…, out]``, in the dtype of `x`.

    A single row, as in decoding, is a product of matrix and vector, for which there are quicker ways
    than for matrices of one row. A matrix kept as float16 beside values of float32 is widened.
    """
    single = x.numel() == weight.shape[1] and x.dtype == torch.float32 and x.is_cpu
    if weight.dtype != x.dtype:
        if single and weight.dtype == torch.float16:
            from pv_runtime.half_product import half_product  # compiled code, where it is asked for

            return half_product(weight, x.reshape(-1)).view(*x.shape[:-1], -1)
        return functional.linear(x, weight.to(x.dtype))
    if single:
        return torch.mv(weight, x.reshape(-1)).view(*x.shape[:-1], -1)
    return functional.linear(x, weight)
