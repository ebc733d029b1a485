"""Everything that times are measured with, for one device, opened once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pv_kernels.ceiling import Ways
from pv_kernels.cuda_timing import CudaTimer
from pv_kernels.cuda_ways import CudaWays
from pv_kernels.hardware import Hardware, Monitor, describe, open_monitor
from pv_kernels.simulated_gpu import SimulatedGpu, SimulatedTimer, SimulatedWays
from pv_kernels.timing import Timer

__all__ = ["Bench", "NoGpuError", "open_bench", "open_simulated"]


class NoGpuError(RuntimeError):
    """A time was asked for where there is no GPU. None is measured on a processor in its place."""


@dataclass(frozen=True)
class Bench:
    """A clock, what the bounds are measured with, and whom to ask about the GPU.

    `monitor` and `hardware` are of a real GPU alone.
    """

    backend: Literal["gpu", "simulated"]
    timer: Timer
    ways: Ways
    monitor: Monitor | None = None
    hardware: Hardware | None = None


def open_bench(device: str) -> Bench:
    """Return what times are measured with on `device`, a CUDA device as torch names it.

    Raises
    ------
    NoGpuError
        It is another device.
    """
    if not device.startswith("cuda"):
        raise NoGpuError(f"times are measured on a GPU, and this is {device}; run it with --device cuda")
    monitor = open_monitor(device)
    return Bench("gpu", CudaTimer(device), CudaWays(device), monitor, describe(device, monitor))


def open_simulated(gpu: SimulatedGpu) -> Bench:
    """Return what times of a simulated GPU are measured with; they are times of nothing real."""
    return Bench("simulated", SimulatedTimer(gpu), SimulatedWays(gpu))
