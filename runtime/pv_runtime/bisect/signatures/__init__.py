"""What a wrong stage looks like: guesses, each carried out and held against what was computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pv_runtime.bisect.case import Attempt, Case
from pv_runtime.bisect.signatures.attention import attention
from pv_runtime.bisect.signatures.linear import (
    another_tensor,
    damaged,
    embedding,
    head,
    misread,
    permuted,
    replaced,
    rounded,
    transposed,
)
from pv_runtime.bisect.signatures.normalisation import normalisation
from pv_runtime.bisect.signatures.pointwise import activation, bias, gating, residual
from pv_runtime.bisect.signatures.rotation import rotation
from pv_runtime.bisect.signatures.values import rearranged, scaled

__all__ = ["SIGNATURES", "Guess", "attempts"]

Guess = Callable[[Case], Iterator[Attempt]]

_PRODUCT: tuple[Guess, ...] = (transposed, another_tensor, permuted, damaged, misread, rounded)
_ANYTHING: tuple[Guess, ...] = (scaled, rearranged)
_NORM: tuple[Guess, ...] = (normalisation, *_ANYTHING, replaced)

SIGNATURES: dict[str, tuple[Guess, ...]] = {
    "embedding": (embedding, *_ANYTHING, replaced),
    "attn_norm": _NORM,
    "qkv_matmul": (*_PRODUCT, *_ANYTHING, replaced),
    "qkv_bias": (bias, *_ANYTHING, replaced),
    "q_post_rope": (rotation, *_ANYTHING),
    "k_post_rope": (rotation, *_ANYTHING),
    "attention": (attention, *_ANYTHING),
    "attn_out": (*_PRODUCT, *_ANYTHING, replaced),
    "post_attn_residual": (residual, *_ANYTHING),
    "ffn_norm": _NORM,
    "ffn_gate": (*_PRODUCT, *_ANYTHING, replaced),
    "ffn_up": (*_PRODUCT, *_ANYTHING, replaced),
    "ffn_silu": (activation, *_ANYTHING),
    "ffn_swiglu": (gating, *_ANYTHING),
    "ffn_out": (*_PRODUCT, *_ANYTHING, replaced),
    "layer_output": (residual, *_ANYTHING),
    "final_norm": _NORM,
    "lm_head": (head, *_PRODUCT, *_ANYTHING, replaced),
}
"""The guesses at each stage, the simplest first."""


def attempts(case: Case, first: Guess | None = None) -> Iterator[tuple[Guess, Attempt]]:
    """Yield every guess at what the candidate computed in this stage; those of `first` before others."""
    guesses = SIGNATURES[case.stage]
    if first is not None:
        guesses = (first, *(each for each in guesses if each is not first))
    for guess in guesses:
        for attempt in guess(case):
            yield guess, attempt
