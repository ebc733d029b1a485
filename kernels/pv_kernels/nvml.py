"""What NVIDIA's management library says of a GPU now: clocks, temperature, power, why it is held back.

Asked through ctypes, in microseconds: ``nvidia-smi`` takes half a second, long after the load has ended.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

__all__ = ["SLOWING", "Clocks", "Nvml", "reasons_of"]

_REASONS = {
    0x1: "gpu_idle",
    0x2: "applications_clocks_setting",
    0x4: "sw_power_cap",
    0x8: "hw_slowdown",
    0x10: "sync_boost",
    0x20: "sw_thermal_slowdown",
    0x40: "hw_thermal_slowdown",
    0x80: "hw_power_brake_slowdown",
    0x100: "display_clock_setting",
}
"""Bits of nvmlClocksEventReasons, in older headers nvmlClocksThrottleReasons."""
SLOWING = frozenset({"hw_slowdown", "sw_thermal_slowdown", "hw_thermal_slowdown", "hw_power_brake_slowdown"})
"""Reasons for which a time is not the GPU's own: it is too hot, or its supply too weak.

That it is at its power limit (``sw_power_cap``) is how a loaded GPU works, and is only recorded.
"""
_SM, _MEMORY = 1, 2
_CELSIUS = 0


def reasons_of(bits: int) -> tuple[str, ...]:
    """Name the bits that are set; one that has no name here is ``bit_N``."""
    places = [place for place in range(64) if bits >> place & 1]
    return tuple(_REASONS.get(1 << place, f"bit_{place}") for place in places)


@dataclass(frozen=True)
class Clocks:
    """A GPU at one moment: MHz, degrees Celsius, watts, and why its clocks are not higher. None: not told."""

    sm_mhz: int | None = None
    memory_mhz: int | None = None
    greatest_sm_mhz: int | None = None
    celsius: int | None = None
    watts: float | None = None
    reasons: tuple[str, ...] | None = None

    @property
    def slowed(self) -> bool:
        """Whether it was held back by heat or by its supply."""
        return bool(SLOWING.intersection(self.reasons or ()))


class Nvml:
    """The library, opened for the one GPU whose `uuid` is given.

    Raises
    ------
    OSError
        There is no such library, or it knows no such GPU.
    """

    def __init__(self, uuid: str, library: Any = None) -> None:
        self._library = library or ctypes.CDLL("libnvidia-ml.so.1")
        self._handle = ctypes.c_void_p()
        name = uuid if uuid.startswith(("GPU-", "MIG-")) else f"GPU-{uuid}"
        if self._library.nvmlInit_v2() or self._library.nvmlDeviceGetHandleByUUID(
            name.encode(), ctypes.byref(self._handle)
        ):
            raise OSError(f"NVML does not open {name}")

    def driver(self) -> str:
        """Return the driver's version; empty where it does not say."""
        text = ctypes.create_string_buffer(96)
        return "" if self._library.nvmlSystemGetDriverVersion(text, 96) else text.value.decode()

    def clocks(self) -> Clocks:
        """Ask what it does at this moment."""
        milliwatts = self._number("nvmlDeviceGetPowerUsage")
        bits = ctypes.c_ulonglong()
        silent = self._library.nvmlDeviceGetCurrentClocksThrottleReasons(self._handle, ctypes.byref(bits))
        return Clocks(
            self._number("nvmlDeviceGetClockInfo", _SM),
            self._number("nvmlDeviceGetClockInfo", _MEMORY),
            self._number("nvmlDeviceGetMaxClockInfo", _SM),
            self._number("nvmlDeviceGetTemperature", _CELSIUS),
            None if milliwatts is None else milliwatts / 1000,
            None if silent else reasons_of(bits.value),
        )

    def _number(self, function: str, *which: int) -> int | None:
        found = ctypes.c_uint()
        failed = getattr(self._library, function)(self._handle, *which, ctypes.byref(found))
        return None if failed else found.value
