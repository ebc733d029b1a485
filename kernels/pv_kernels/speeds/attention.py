"""The speed of causal attention over a prompt: bound by arithmetic, so that bytes are no measure of it."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from pv_kernels.peers import formulas
from pv_kernels.peers.compiled import eager
from pv_kernels.spec import Arguments, Results
from pv_kernels.specs.attention import ATTENTION
from pv_kernels.speed import Size, Speed, SpeedCase
from pv_kernels.speeds.drawing import normal, on_cpu

__all__ = ["ATTENTION_SPEED"]

_HEADS, _KV_HEADS, _HEAD_DIM = 28, 4, 128
"""Those of Qwen2.5 7B."""
_COMPARED = 32
"""Tokens that are compared, at the beginning and at the end."""


def _parts(arguments: Arguments, results: Results) -> Iterator[tuple[Arguments, Results]]:
    """Take the first tokens with the keys they see, and the last with all, of the first and the last head."""
    q, k, v, out = arguments["q"], arguments["k"], arguments["v"], results[0]
    for head in (0, q.shape[1] - 1):
        at, source = slice(head, head + 1), head // (q.shape[1] // k.shape[1])
        keys, values = k[-1:, source : source + 1], v[-1:, source : source + 1]
        first, last = slice(None, _COMPARED), slice(-_COMPARED, None)
        for tokens, seen in ((first, first), (last, slice(None))):
            part = {"q": q[-1:, at, tokens], "k": keys[:, :, seen], "v": values[:, :, seen]}
            yield on_cpu(part), (out[-1:, at, tokens].cpu(),)


def _case(size: Size, batch: int, tokens: int) -> SpeedCase:
    def draw(generator: torch.Generator) -> Arguments:
        return {
            "q": normal(generator, batch, _HEADS, tokens, _HEAD_DIM),
            "k": normal(generator, batch, _KV_HEADS, tokens, _HEAD_DIM),
            "v": normal(generator, batch, _KV_HEADS, tokens, _HEAD_DIM),
        }

    name = f"{batch}x{tokens} tokens, {_HEADS}/{_KV_HEADS} heads of {_HEAD_DIM}, bfloat16"
    return SpeedCase(name, size, draw, _parts)


ATTENTION_SPEED = Speed(
    ATTENTION,
    (_case("medium", 1, 2048),),
    {"torch": eager(formulas.prefill_by_torch), "sdpa": eager(formulas.causal_attention)},
)
