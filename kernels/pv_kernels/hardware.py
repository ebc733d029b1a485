"""Which GPU, driver and libraries a time was measured with: it says nothing of any other."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import torch

from pv_kernels.nvml import Clocks, Nvml, reasons_of

__all__ = ["Hardware", "Monitor", "describe", "open_monitor"]

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Hardware:
    """What a performance claim is bound to; ``unknown`` where nothing tells it."""

    gpu: str
    capability: str
    driver: str
    torch: str
    triton: str
    cuda: str
    memory_mib: int
    l2_mib: float
    processors: int


class Monitor:
    """Asks about one GPU: NVML where it is there, else ``nvidia-smi``, else nothing is told."""

    def __init__(self, uuid: str, nvml: Nvml | None) -> None:
        self._uuid, self._nvml = uuid, nvml

    def driver(self) -> str:
        """Return the driver's version."""
        said = self._nvml.driver() if self._nvml else self._smi("driver_version")
        return said or UNKNOWN

    def clocks(self) -> Clocks:
        """Ask what the GPU does at this moment."""
        if self._nvml:
            return self._nvml.clocks()
        names = ("clocks.sm", "clocks.mem", "clocks.max.sm", "temperature.gpu", "power.draw")
        said = self._smi(*names, "clocks_throttle_reasons.active").split(", ")
        return _clocks_of(said) if len(said) == len(names) + 1 else Clocks()

    def _smi(self, *fields: str) -> str:
        words = [f"--id={self._uuid}", f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"]
        try:
            done = subprocess.run(
                ["nvidia-smi", *words], capture_output=True, text=True, timeout=20, check=True
            )
        except (OSError, subprocess.SubprocessError):
            return ""
        return done.stdout.strip()


def _clocks_of(words: list[str]) -> Clocks:
    """Read what ``nvidia-smi`` prints; a field that it does not know is ``[N/A]``."""

    def number(word: str) -> float | None:
        try:
            return float(word)
        except ValueError:
            return None

    sm, memory, greatest, celsius, watts = map(number, words[:5])
    try:
        reasons = reasons_of(int(words[5], 16))
    except ValueError:
        reasons = None
    whole = [None if value is None else int(value) for value in (sm, memory, greatest, celsius)]
    return Clocks(whole[0], whole[1], whole[2], whole[3], watts, reasons)


def open_monitor(device: str) -> Monitor:
    """Return what can be asked about the GPU that torch calls `device`."""
    uuid = str(getattr(torch.cuda.get_device_properties(device), "uuid", ""))
    uuid = uuid if not uuid or uuid.startswith(("GPU-", "MIG-")) else f"GPU-{uuid}"
    try:
        return Monitor(uuid, Nvml(uuid))
    except (OSError, AttributeError):
        return Monitor(uuid, None)


def describe(device: str, monitor: Monitor) -> Hardware:
    """Describe the GPU that torch calls `device`, and what runs on it."""
    properties = torch.cuda.get_device_properties(device)
    return Hardware(
        gpu=properties.name,
        capability=f"{properties.major}.{properties.minor}",
        driver=monitor.driver(),
        torch=torch.__version__,
        triton=_installed("triton"),
        cuda=torch.version.cuda or UNKNOWN,
        memory_mib=properties.total_memory >> 20,
        l2_mib=properties.L2_cache_size / (1 << 20),
        processors=properties.multi_processor_count,
    )


def _installed(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return UNKNOWN
