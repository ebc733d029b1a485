"""A kernel that runs on a simulated GPU, and computes on the processor: to try the checks of speed on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from pv_kernels.bench import Bench, open_simulated
from pv_kernels.simulated_gpu import SimulatedGpu
from pv_kernels.spec import Arguments
from pv_kernels.specs.swiglu import SWIGLU
from pv_kernels.speed import Speed, SpeedCase
from pv_kernels.speeds.drawing import by_rows
from torch import Tensor

__all__ = ["SPEED", "gpu", "simulated"]

MOVED = {"large": 600 << 20, "medium": 24 << 20, "decode": 1 << 16}
"""What the kernel is made to move on the simulated GPU, by the number of its rows."""
ROWS = {3: "large", 2: "medium", 1: "decode"}
_GPUS: list[SimulatedGpu] = []


def gpu() -> SimulatedGpu:
    """The simulated GPU that is opened now."""
    return _GPUS[-1]


def simulated(_device: str) -> Bench:
    """Open a new simulated GPU in place of a real one."""
    _GPUS.append(SimulatedGpu())
    return open_simulated(gpu())


def _swiglu(gate: Tensor, up: Tensor, *, out: Tensor | None = None) -> Tensor:
    del out
    if _GPUS:
        gpu().launch({"gate and up and out": MOVED[ROWS[len(gate)]]}, efficiency=0.97)
    return SWIGLU.reference(gate, up).to(gate.dtype)  # type: ignore[no-any-return]


def _case(size: Any, rows: int) -> SpeedCase:
    def draw(generator: torch.Generator) -> Arguments:
        return {name: torch.randn(rows, 40, generator=generator) for name in ("gate", "up")}

    return SpeedCase(f"{rows} rows", size, draw, by_rows("gate", "up"), lambda _: MOVED[ROWS[rows]])


def _peer(efficiency: float) -> Callable[[Arguments], Callable[[], Any]]:
    return lambda arguments: lambda: gpu().launch({"peer": MOVED[ROWS[len(arguments["gate"])]]}, efficiency)


def _not_installed(_: Arguments) -> Callable[[], Any]:
    raise ModuleNotFoundError("No module named 'liger_kernel'")


def _breaks(_: Arguments) -> Callable[[], Any]:
    raise RuntimeError("in /a/folder of this host: not supported")


SPEED = Speed(
    dataclasses.replace(SWIGLU, call=_swiglu),
    (_case("large", 3), _case("medium", 2), _case("decode", 1)),
    {"torch": _peer(0.48), "compiled": _peer(0.9), "liger": _not_installed, "sdpa": _breaks},
)
