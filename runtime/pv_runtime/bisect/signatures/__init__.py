"""What a wrong stage looks like: guesses, each carried out and held against what was computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pv_runtime.bisect.case import Attempt, Case
from pv_runtime.bisect.signatures.attention import attention
from pv_runtime.bisect.signatures.linear import embedding, head, projection, replaced
from pv_runtime.bisect.signatures.normalisation import normalisation
from pv_runtime.bisect.signatures.pointwise import activation, bias, gating, residual
from pv_runtime.bisect.signatures.rotation import rotation
from pv_runtime.bisect.signatures.values import rearranged, scaled

__all__ = ["SIGNATURES", "attempts"]

Guess = Callable[[Case], Iterator[Attempt]]

SIGNATURES: dict[str, tuple[Guess, ...]] = {
    "embedding": (embedding, scaled, rearranged, replaced),
    "attn_norm": (normalisation, scaled, rearranged, replaced),
    "qkv_matmul": (projection, scaled, rearranged, replaced),
    "qkv_bias": (bias, scaled, rearranged, replaced),
    "q_post_rope": (rotation, scaled, rearranged),
    "k_post_rope": (rotation, scaled, rearranged),
    "attention": (attention, scaled, rearranged),
    "attn_out": (projection, scaled, rearranged, replaced),
    "post_attn_residual": (residual, scaled, rearranged),
    "ffn_norm": (normalisation, scaled, rearranged, replaced),
    "ffn_gate": (projection, scaled, rearranged, replaced),
    "ffn_up": (projection, scaled, rearranged, replaced),
    "ffn_silu": (activation, scaled, rearranged),
    "ffn_swiglu": (gating, scaled, rearranged),
    "ffn_out": (projection, scaled, rearranged, replaced),
    "layer_output": (residual, scaled, rearranged),
    "final_norm": (normalisation, scaled, rearranged, replaced),
    "lm_head": (head, projection, scaled, rearranged, replaced),
}
"""The guesses at each stage, the simplest first."""


def attempts(case: Case) -> Iterator[Attempt]:
    """Yield every guess at what the candidate computed in this stage."""
    for guess in SIGNATURES[case.stage]:
        yield from guess(case)
