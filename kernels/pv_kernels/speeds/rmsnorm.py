"""The speed of RMSNorm, alone and after the addition of a residual."""

from __future__ import annotations

import torch

from pv_kernels.peers import formulas, liger
from pv_kernels.peers.compiled import compiled, eager
from pv_kernels.spec import Arguments
from pv_kernels.specs.rmsnorm import ADD_RMS_NORM, EPS, RMS_NORM
from pv_kernels.speed import Size, Speed, SpeedCase
from pv_kernels.speeds.drawing import by_rows, normal

__all__ = ["ADD_RMS_NORM_SPEED", "RMS_NORM_SPEED"]


def _alone(size: Size, rows: int, columns: int) -> SpeedCase:
    def draw(generator: torch.Generator) -> Arguments:
        return {
            "x": normal(generator, rows, columns),
            "weight": normal(generator, columns),
            "eps": EPS,
        }

    return SpeedCase(f"{rows}x{columns} bfloat16", size, draw, by_rows("x"))


def _added(size: Size, rows: int, columns: int) -> SpeedCase:
    alone = _alone(size, rows, columns)

    def draw(generator: torch.Generator) -> Arguments:
        return {**alone.draw(generator), "residual": normal(generator, rows, columns)}

    return SpeedCase(alone.name, size, draw, by_rows("x", "residual"))


RMS_NORM_SPEED = Speed(
    RMS_NORM,
    (
        _alone("large", 65536, 3584),
        _alone("large", 16384, 16384),
        _alone("medium", 1792, 3584),
        _alone("decode", 1, 3584),
        _alone("decode", 16, 3584),
    ),
    {
        "torch": eager(formulas.rms_norm_by_torch),
        "compiled": compiled(formulas.rms_norm),
        "liger": liger.rms_norm,
    },
)

ADD_RMS_NORM_SPEED = Speed(
    ADD_RMS_NORM,
    (
        _added("large", 65536, 3584),
        _added("medium", 896, 3584),
        _added("decode", 1, 3584),
        _added("decode", 16, 3584),
    ),
    {
        "torch": eager(formulas.add_rms_norm),
        "compiled": compiled(formulas.add_rms_norm),
        "liger": liger.add_rms_norm,
    },
)
