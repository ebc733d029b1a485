"""The speed of SwiGLU."""

from __future__ import annotations

import torch

from pv_kernels.peers import formulas, liger
from pv_kernels.peers.compiled import compiled, eager
from pv_kernels.spec import Arguments
from pv_kernels.specs.swiglu import SWIGLU
from pv_kernels.speed import Size, Speed, SpeedCase
from pv_kernels.speeds.drawing import by_rows, normal

__all__ = ["SWIGLU_SPEED"]


def _case(size: Size, rows: int, columns: int) -> SpeedCase:
    def draw(generator: torch.Generator) -> Arguments:
        return {name: normal(generator, rows, columns) for name in ("gate", "up")}

    return SpeedCase(f"{rows}x{columns} bfloat16", size, draw, by_rows("gate", "up"))


SWIGLU_SPEED = Speed(
    SWIGLU,
    (
        _case("large", 16384, 18944),
        _case("medium", 224, 18944),
        _case("decode", 1, 18944),
        _case("decode", 16, 18944),
    ),
    {
        "torch": eager(formulas.swiglu),
        "compiled": compiled(formulas.swiglu),
        "liger": liger.swiglu,
    },
)
