"""The stages of a forward pass: points where every implementation can be held against another."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the names of stages are of use without a library of half a gigabyte
    import torch

__all__ = ["LAYER_STAGES", "STAGES", "WHOLE", "Tap", "untapped"]

LAYER_STAGES: dict[str, str] = {
    "attn_norm": "the block's input, normalised",
    "qkv_matmul": "queries, keys and values beside each other, before the bias",
    "qkv_bias": "the same, after it; equal where the family has none",
    "q_post_rope": "queries, turned by their positions",
    "k_post_rope": "keys, turned by their positions",
    "attention": "weighted values of all heads beside each other",
    "attn_out": "the heads, projected back",
    "post_attn_residual": "the block's input + attn_out",
    "ffn_norm": "that, normalised",
    "ffn_gate": "gate projection",
    "ffn_up": "up projection",
    "ffn_silu": "g / (1 + e^-g) of the gate",
    "ffn_swiglu": "ffn_silu times ffn_up",
    "ffn_out": "that, projected down",
    "layer_output": "post_attn_residual + ffn_out",
}
"""The stages of each block, in the order of computation."""

STAGES: dict[str, str] = {
    "embedding": "rows of the embedding",
    **LAYER_STAGES,
    "final_norm": "the last block's output, normalised",
    "lm_head": "logits",
}
"""All stages, in the order of computation; values are ``[batch, tokens, features]``."""

WHOLE = frozenset(STAGES) - frozenset(LAYER_STAGES)
"""Stages of the whole model; their layer is None."""

Tap = Callable[[str, "int | None", "torch.Tensor"], "torch.Tensor"]
"""Called as ``tap(stage, layer, values)`` where a stage is complete; what it returns is computed on with.

A tap that returns its argument watches. One that returns another implementation's values makes every
stage compute on that one's, so that an error shows where it is made and not where it arrives.
"""


def untapped(stage: str, layer: int | None, values: torch.Tensor) -> torch.Tensor:  # noqa: ARG001
    """Return `values`: the tap of a plain forward pass."""
    return values
