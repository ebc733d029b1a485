"""The speed of cross-entropy over a vocabulary, alone and with the gradient of the logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from pv_kernels.peers import formulas, liger
from pv_kernels.peers.compiled import compiled, eager
from pv_kernels.spec import Arguments
from pv_kernels.specs.cross_entropy import CROSS_ENTROPY, CROSS_ENTROPY_WITH_GRADIENT
from pv_kernels.specs.samples import itemsize
from pv_kernels.speed import Size, Speed, SpeedCase
from pv_kernels.speeds.drawing import by_rows, normal

__all__ = ["CROSS_ENTROPY_SPEED", "CROSS_ENTROPY_WITH_GRADIENT_SPEED"]

_VOCABULARY = 152064
"""That of Qwen2.5 7B."""


def _loss(size: Size, rows: int) -> SpeedCase:
    def draw(generator: torch.Generator) -> Arguments:
        targets = torch.randint(0, _VOCABULARY, (rows,), generator=generator, device=generator.device)
        return {"logits": normal(generator, rows, _VOCABULARY), "targets": targets}

    return SpeedCase(f"{rows}x{_VOCABULARY} bfloat16", size, draw, by_rows("logits", "targets"))


def _gradient(size: Size, rows: int) -> SpeedCase:
    loss = _loss(size, rows)

    def draw(generator: torch.Generator) -> Arguments:
        upstream = torch.full((rows,), 1 / rows, device=generator.device)
        return {**loss.draw(generator), "upstream": upstream}

    def moved(arguments: Arguments) -> int:
        # A row that fits no block is read once for its sum, and once more for the gradient.
        return CROSS_ENTROPY_WITH_GRADIENT.traffic(arguments) + itemsize(arguments["logits"])

    return SpeedCase(loss.name, size, draw, by_rows("logits", "targets", "upstream"), moved)


def _liger(arguments: Arguments) -> Callable[[], Any]:
    return liger.cross_entropy(arguments["logits"], arguments["targets"])


CROSS_ENTROPY_SPEED = Speed(
    CROSS_ENTROPY,
    (_loss("large", 8192), _loss("medium", 80)),
    {
        "torch": eager(formulas.cross_entropy),
        "compiled": compiled(formulas.cross_entropy),
        "liger": _liger,
    },
)

CROSS_ENTROPY_WITH_GRADIENT_SPEED = Speed(
    CROSS_ENTROPY_WITH_GRADIENT,
    (_gradient("large", 4096), _gradient("medium", 40)),
    {
        "torch": eager(formulas.cross_entropy_with_gradient),
        "compiled": compiled(formulas.cross_entropy_with_gradient),
    },
)
