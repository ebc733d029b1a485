"""The speed of decode attention: grouped queries of one token over a long cache."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from pv_kernels.decode_attention import choose_splits
from pv_kernels.peers import formulas
from pv_kernels.peers.compiled import compiled, eager
from pv_kernels.spec import Arguments, Results
from pv_kernels.specs.decode_attention import DECODE_ATTENTION
from pv_kernels.speed import Size, Speed, SpeedCase
from pv_kernels.speeds.drawing import normal, on_cpu

__all__ = ["DECODE_ATTENTION_SPEED"]


def _parts(arguments: Arguments, results: Results) -> Iterator[tuple[Arguments, Results]]:
    """Take the first and the last key head, with its queries, of the first and the last sequence."""
    q, k, v = arguments["q"], arguments["k"], arguments["v"]
    splits = choose_splits(k.shape[0] * k.shape[1], k.shape[2])
    group = q.shape[1] // k.shape[1]
    for sequence, head in ((0, 0), (k.shape[0] - 1, k.shape[1] - 1)):
        one, heads = slice(sequence, sequence + 1), slice(head * group, (head + 1) * group)
        part = {
            "q": q[one, heads],
            "k": k[one, head : head + 1],
            "v": v[one, head : head + 1],
            "lengths": arguments["lengths"][one],
            "splits": splits,
        }
        yield on_cpu(part), (results[0][one, heads].cpu(),)


def _case(size: Size, batch: int, length: int, heads: int, kv_heads: int, head_dim: int) -> SpeedCase:
    def draw(generator: torch.Generator) -> Arguments:
        cache = (batch, kv_heads, length, head_dim)
        return {
            "q": normal(generator, batch, heads, head_dim),
            "k": normal(generator, *cache),
            "v": normal(generator, *cache),
            "lengths": torch.full((batch,), length, dtype=torch.int32, device=generator.device),
        }

    name = f"{batch}x{length} keys, {heads}/{kv_heads} heads of {head_dim}, bfloat16"
    return SpeedCase(name, size, draw, _parts)


DECODE_ATTENTION_SPEED = Speed(
    DECODE_ATTENTION,
    (
        _case("large", 16, 32768, 28, 4, 128),
        _case("large", 4, 131072, 14, 2, 64),
        _case("medium", 4, 4096, 28, 4, 128),
        _case("medium", 1, 65536, 14, 2, 64),
    ),
    {
        "sdpa": eager(formulas.decode_attention),
        "compiled": compiled(formulas.decode_attention),
    },
)
