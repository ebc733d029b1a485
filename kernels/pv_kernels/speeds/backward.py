"""The speed of gradients, at the shapes that training has."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from pv_kernels.peers import formulas
from pv_kernels.peers.compiled import compiled, eager
from pv_kernels.spec import Arguments, Results
from pv_kernels.specs.rmsnorm import EPS
from pv_kernels.specs.rmsnorm_backward import RMS_NORM_BACKWARD
from pv_kernels.specs.rope_backward import ROPE_BACKWARD
from pv_kernels.specs.swiglu_backward import SWIGLU_BACKWARD
from pv_kernels.speed import Size, Speed, SpeedCase
from pv_kernels.speeds.drawing import by_rows, normal, on_cpu
from pv_kernels.speeds.rope import ROPE_SPEED

__all__ = ["RMS_NORM_BACKWARD_SPEED", "ROPE_BACKWARD_SPEED", "SWIGLU_BACKWARD_SPEED"]


def _whole(arguments: Arguments, results: Results) -> Iterator[tuple[Arguments, Results]]:
    """Take everything: the gradient of a weight is a sum over all rows."""
    yield on_cpu(arguments), tuple(result.cpu() for result in results)


def _norm(size: Size, rows: int, columns: int) -> SpeedCase:
    def draw(generator: torch.Generator) -> Arguments:
        sides = {name: normal(generator, rows, columns) for name in ("dy", "x")}
        return {**sides, "weight": normal(generator, columns), "eps": EPS}

    return SpeedCase(f"{rows}x{columns} bfloat16", size, draw, _whole)


def _gated(size: Size, rows: int, columns: int) -> SpeedCase:
    def draw(generator: torch.Generator) -> Arguments:
        return {name: normal(generator, rows, columns) for name in ("dy", "gate", "up")}

    return SpeedCase(f"{rows}x{columns} bfloat16", size, draw, by_rows("dy", "gate", "up"))


def _turned(case: SpeedCase) -> SpeedCase:
    def draw(generator: torch.Generator) -> Arguments:
        forth = case.draw(generator)
        return {{"q": "dq", "k": "dk"}.get(name, name): value for name, value in forth.items()}

    return SpeedCase(case.name, case.size, draw, by_rows("dq", "dk", "positions"))


RMS_NORM_BACKWARD_SPEED = Speed(
    RMS_NORM_BACKWARD,
    (_norm("large", 12288, 3584), _norm("medium", 1024, 3584)),
    {
        "torch": eager(formulas.rms_norm_backward),
        "compiled": compiled(formulas.rms_norm_backward),
    },
)
SWIGLU_BACKWARD_SPEED = Speed(
    SWIGLU_BACKWARD,
    (_gated("large", 8192, 18944), _gated("medium", 128, 18944)),
    {
        "torch": eager(formulas.swiglu_backward),
        "compiled": compiled(formulas.swiglu_backward),
    },
)
ROPE_BACKWARD_SPEED = Speed(
    ROPE_BACKWARD,
    tuple(_turned(case) for case in ROPE_SPEED.cases if case.size != "decode"),
    {
        "torch": eager(formulas.rope_backward),
        "compiled": compiled(formulas.rope_backward),
    },
)
