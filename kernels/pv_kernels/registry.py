"""Every kernel by name. A contract names one with ``with: {kernel: NAME}``."""

from __future__ import annotations

from pv_kernels.spec import KernelSpec
from pv_kernels.specs.rmsnorm import ADD_RMS_NORM, RMS_NORM
from pv_kernels.specs.rope import ROPE
from pv_kernels.specs.softmax import SOFTMAX
from pv_kernels.specs.swiglu import SWIGLU

__all__ = ["KERNELS"]

KERNELS: dict[str, KernelSpec] = {spec.name: spec for spec in (RMS_NORM, ADD_RMS_NORM, ROPE, SWIGLU, SOFTMAX)}
