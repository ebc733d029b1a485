"""A decoder in float64, written from the papers and apart from ours: head by head, token by token.

Nothing of `model.py` is used. Rotations are complex numbers; no mask is needed, since a token is only
ever shown those before it; padding is left out before, and not masked.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pv_runtime.architecture import Architecture
from pv_runtime.formats import Checkpoint

Matrix = NDArray[np.float64]


class NumpyDecoder:
    """Logits of one sequence at a time; `model` holds Hugging Face's names and order of rows."""

    def __init__(self, model: Checkpoint, architecture: Architecture) -> None:
        self.a = architecture
        self.w: dict[str, Any] = {name: model.tensor(name).astype(np.float64) for name in model.names()}

    def logits(self, ids: list[int]) -> Matrix:
        """Return ``[tokens, vocab]``."""
        embedding = self.w["model.embed_tokens.weight"]
        x = np.stack([embedding[token] for token in ids])
        for layer in range(self.a.layers):
            prefix = f"model.layers.{layer}."
            x = x + self._attention(prefix, self._norm(x, prefix + "input_layernorm.weight"))
            x = x + self._feed_forward(prefix, self._norm(x, prefix + "post_attention_layernorm.weight"))
        x = self._norm(x, "model.norm.weight")
        head: Matrix = embedding if self.a.tied else self.w["lm_head.weight"]
        return x @ head.T

    def _norm(self, x: Matrix, name: str) -> Matrix:
        scaled: Matrix = x / np.sqrt((x**2).mean(axis=1, keepdims=True) + self.a.rms_norm_eps) * self.w[name]
        return scaled

    def _projected(self, x: Matrix, name: str, heads: int) -> Matrix:
        y = x @ self.w[name + ".weight"].T
        if self.a.qkv_bias:
            y = y + self.w[name + ".bias"]
        return np.asarray(y.reshape(len(x), heads, self.a.head_dim))

    def _turned(self, x: Matrix) -> Matrix:
        """Multiply xᵢ + i xᵢ₊d/2 at position p by exp(i p theta^(-2i/d))."""
        half = self.a.head_dim // 2
        speeds = self.a.rope_theta ** (-np.arange(half) / half)
        turns = np.exp(1j * np.outer(np.arange(len(x)), speeds))[:, None, :]
        turned = (x[..., :half] + 1j * x[..., half:]) * turns
        return np.concatenate([turned.real, turned.imag], axis=-1)

    def _attention(self, prefix: str, x: Matrix) -> Matrix:
        q = self._turned(self._projected(x, prefix + "self_attn.q_proj", self.a.heads))
        k = self._turned(self._projected(x, prefix + "self_attn.k_proj", self.a.kv_heads))
        v = self._projected(x, prefix + "self_attn.v_proj", self.a.kv_heads)
        mixed = np.zeros((len(x), self.a.heads, self.a.head_dim))
        for token in range(len(x)):
            for head in range(self.a.heads):
                group = head * self.a.kv_heads // self.a.heads
                scores = k[: token + 1, group] @ q[token, head] / np.sqrt(self.a.head_dim)
                shares = np.exp(scores - scores.max())
                mixed[token, head] = (shares / shares.sum()) @ v[: token + 1, group]
        output: Matrix = self.w[prefix + "self_attn.o_proj.weight"]
        return mixed.reshape(len(x), -1) @ output.T

    def _feed_forward(self, prefix: str, x: Matrix) -> Matrix:
        gate = x @ self.w[prefix + "mlp.gate_proj.weight"].T
        up = x @ self.w[prefix + "mlp.up_proj.weight"].T
        down: Matrix = self.w[prefix + "mlp.down_proj.weight"]
        result: Matrix = (gate / (1 + np.exp(-gate)) * up) @ down.T
        return result
