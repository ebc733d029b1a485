"""One point of a tuning space, in plain data: no autotuner, so that interpreter and compiler see the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Tuning"]


@dataclass(frozen=True)
class Tuning:
    """One point of a tuning space: constants of the kernel, warps of a program, stages of its loops."""

    constants: Mapping[str, int]
    warps: int = 4
    stages: int = 3

    @property
    def name(self) -> str:
        """The point in words, as in ``block=1024 warps=4 stages=3``."""
        constants = (f"{name}={value}" for name, value in self.constants.items())
        return " ".join([*constants, f"warps={self.warps}", f"stages={self.stages}"])

    def options(self) -> dict[str, int]:
        """Return what a launch takes: ``kernel[grid](..., **tuning.options())``."""
        # Triton's default for fusing a product and a sum is to change in 3.10, ours not: it rounds once less.
        return {
            **self.constants,
            "num_warps": self.warps,
            "num_stages": self.stages,
            "enable_fp_fusion": True,
        }
