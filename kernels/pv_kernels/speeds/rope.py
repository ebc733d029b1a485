"""The speed of rotary position embedding, queries and keys together."""

from __future__ import annotations

import torch

from pv_kernels.peers import formulas, liger
from pv_kernels.peers.compiled import compiled, eager
from pv_kernels.spec import Arguments
from pv_kernels.specs.rope import ROPE, table
from pv_kernels.speed import Size, Speed, SpeedCase
from pv_kernels.speeds.drawing import by_rows, normal

__all__ = ["ROPE_SPEED"]

_Q_HEADS, _K_HEADS, _DIMENSIONS = 28, 4, 128
"""Those of Qwen2.5 7B."""
_TABLE = 4096


def _case(size: Size, tokens: int) -> SpeedCase:
    def draw(generator: torch.Generator) -> Arguments:
        device = generator.device
        cos, sin = table(_TABLE, _DIMENSIONS // 2)
        return {
            "q": normal(generator, tokens, _Q_HEADS, _DIMENSIONS),
            "k": normal(generator, tokens, _K_HEADS, _DIMENSIONS),
            # Sequences that fill the table, one after another.
            "positions": torch.arange(tokens, device=device) % _TABLE,
            "cos": cos.to(device),
            "sin": sin.to(device),
        }

    return SpeedCase(
        f"{tokens} tokens, {_Q_HEADS}+{_K_HEADS} heads of {_DIMENSIONS}, bfloat16",
        size,
        draw,
        by_rows("q", "k", "positions"),
    )


ROPE_SPEED = Speed(
    ROPE,
    (_case("large", 65536), _case("medium", 1536), _case("decode", 1), _case("decode", 16)),
    {
        "torch": eager(formulas.rope),
        "compiled": compiled(formulas.rope),
        "liger": liger.rope,
    },
)
