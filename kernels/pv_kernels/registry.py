"""Every kernel by name. A contract names one with ``with: {kernel: NAME}``."""

from __future__ import annotations

from pv_kernels.spec import KernelSpec

__all__ = ["KERNELS"]

_SPECS: tuple[KernelSpec, ...] = ()

KERNELS: dict[str, KernelSpec] = {spec.name: spec for spec in _SPECS}
