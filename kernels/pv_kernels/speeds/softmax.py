"""The speed of softmax, over rows that fit a block and over rows as long as a vocabulary."""

from __future__ import annotations

import torch

from pv_kernels.peers import formulas, liger
from pv_kernels.peers.compiled import compiled, eager
from pv_kernels.spec import Arguments
from pv_kernels.specs.samples import itemsize
from pv_kernels.specs.softmax import SOFTMAX
from pv_kernels.speed import Size, Speed, SpeedCase
from pv_kernels.speeds.drawing import by_rows, normal

__all__ = ["SOFTMAX_SPEED"]


def _case(size: Size, rows: int, columns: int) -> SpeedCase:
    def draw(generator: torch.Generator) -> Arguments:
        return {"x": normal(generator, rows, columns)}

    # A row that fits no block is read once for its maximum and sum, and once more for the result.
    twice = (lambda arguments: 3 * itemsize(arguments["x"])) if size == "vocabulary" else None
    return SpeedCase(f"{rows}x{columns} bfloat16", size, draw, by_rows("x"), twice)


SOFTMAX_SPEED = Speed(
    SOFTMAX,
    (
        _case("large", 65536, 4096),
        _case("large", 16384, 16384),
        _case("vocabulary", 2048, 152064),
        _case("medium", 1536, 4096),
        _case("decode", 16, 4096),
    ),
    {
        "torch": eager(formulas.softmax),
        "compiled": compiled(formulas.softmax),
        "liger": liger.softmax,
    },
)
