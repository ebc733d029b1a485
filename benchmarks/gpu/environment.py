"""What all figures of this run are of: GPU, driver, clocks, versions."""

from __future__ import annotations

import dataclasses
import platform
from importlib.metadata import PackageNotFoundError, version

import torch
from pv_kernels.hardware import describe, open_monitor

__all__ = ["environment"]


def environment(device: str) -> dict[str, str]:
    """Return what there is to say, by name; of a GPU only where `device` is one."""
    said = {"python": platform.python_version(), "torch": torch.__version__, "triton": _installed("triton")}
    said["liger-kernel"] = _installed("liger-kernel")
    if device == "cpu":
        return {"gpu": "none", **said}
    monitor = open_monitor(device)
    hardware = {name: str(value) for name, value in dataclasses.asdict(describe(device, monitor)).items()}
    clocks = monitor.clocks()
    now = {
        "sm clock": _told(clocks.sm_mhz, "MHz"),
        "greatest sm clock": _told(clocks.greatest_sm_mhz, "MHz"),
        "memory clock": _told(clocks.memory_mhz, "MHz"),
        "temperature": _told(clocks.celsius, "C"),
        "throttle reasons": "not told" if clocks.reasons is None else " ".join(clocks.reasons) or "none",
    }
    return {**said, **hardware, **now}


def _told(value: int | None, unit: str) -> str:
    return "not told" if value is None else f"{value} {unit}"


def _installed(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"
