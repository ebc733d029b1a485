"""What is made of the words of NVIDIA's library; the library itself needs a GPU."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pv_kernels.nvml import SLOWING, Clocks, Nvml, reasons_of


class Library:
    """Answers as libnvidia-ml.so does: a status, and a number through a pointer."""

    def __init__(self, reasons: int = 0, silent: str = "") -> None:
        self.reasons, self.silent, self.asked = reasons, silent, b""

    def __getattr__(self, function: str) -> Any:
        def answer(*arguments: Any) -> int:
            if function == self.silent:
                return 3  # NVML_ERROR_NOT_SUPPORTED
            if function == "nvmlDeviceGetHandleByUUID":
                self.asked = arguments[0]
            elif function == "nvmlSystemGetDriverVersion":
                arguments[0].value = b"580.65.06"
            elif function == "nvmlDeviceGetCurrentClocksThrottleReasons":
                arguments[1]._obj.value = self.reasons
            elif function.startswith("nvmlDevice"):
                arguments[-1]._obj.value = {"nvmlDeviceGetPowerUsage": 345_678}.get(function, 1980)
            return 0

        return answer


def test_it_is_asked_for_one_gpu_by_its_uuid() -> None:
    library = Library(reasons=0x4 | 0x20)
    nvml = Nvml("6f0c", library)
    assert library.asked == b"GPU-6f0c"
    assert nvml.driver() == "580.65.06"
    clocks = nvml.clocks()
    assert clocks == Clocks(1980, 1980, 1980, 1980, 345.678, ("sw_power_cap", "sw_thermal_slowdown"))
    assert clocks.slowed


def test_a_limit_of_power_is_recorded_and_no_fault() -> None:
    clocks = Nvml("GPU-1", Library(reasons=0x4)).clocks()
    assert clocks.reasons == ("sw_power_cap",)
    assert not clocks.slowed


def test_what_it_does_not_tell_is_not_made_up() -> None:
    assert Nvml("GPU-1", Library(silent="nvmlDeviceGetPowerUsage")).clocks().watts is None
    assert Nvml("GPU-1", Library(silent="nvmlDeviceGetCurrentClocksThrottleReasons")).clocks().reasons is None
    assert Nvml("GPU-1", Library(silent="nvmlSystemGetDriverVersion")).driver() == ""
    with pytest.raises(OSError, match="GPU-1"):
        Nvml("GPU-1", Library(silent="nvmlDeviceGetHandleByUUID"))


@given(st.integers(0, 2**64 - 1))
def test_every_bit_has_one_name(bits: int) -> None:
    names = reasons_of(bits)
    assert len(set(names)) == len(names) == bits.bit_count()


def test_the_reasons_that_count_are_names_of_bits() -> None:
    assert set(reasons_of(0x1FF)) > SLOWING
