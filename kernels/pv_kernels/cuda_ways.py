"""Kernels that move bytes and compute nothing: what bounds of a CUDA device are measured with."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import triton.language as tl
from torch import Tensor

from pv_kernels.ceiling import COPIED_BYTES
from pv_kernels.language import jit

__all__ = ["CudaWays", "copy", "copy_kernel", "empty_kernel"]

_BLOCK, _WARPS = 4096, 8


@jit
def empty_kernel(x_ptr: tl.tensor) -> None:
    """Do nothing; the pointer is there because a kernel without arguments is no common one."""


@jit
def copy_kernel(source_ptr: tl.tensor, target_ptr: tl.tensor, count: tl.tensor, block: tl.constexpr) -> None:
    """Copy one block of a vector a program."""
    offsets = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    mask = offsets < count
    tl.store(target_ptr + offsets, tl.load(source_ptr + offsets, mask=mask), mask=mask)


def copy(source: Tensor, target: Tensor) -> None:
    """Copy a vector with Triton."""
    grid = (-(-source.numel() // _BLOCK),)
    copy_kernel[grid](source, target, source.numel(), block=_BLOCK, num_warps=_WARPS)


class CudaWays:
    """Copies and readings of `copied` bytes on `device`."""

    def __init__(self, device: str, copied: int = COPIED_BYTES) -> None:
        self._source = torch.zeros(copied // 4, dtype=torch.float32, device=device)
        self._target = torch.empty_like(self._source)
        self._sum = torch.zeros((), dtype=torch.float32, device=device)

    def empty(self) -> None:
        """Launch a kernel that does nothing."""
        empty_kernel[(1,)](self._sum, num_warps=1)

    @property
    def copies(self) -> Mapping[str, Callable[[], object]]:
        """The driver's copy, and ours."""
        return {
            "driver": lambda: self._target.copy_(self._source),
            "triton": lambda: copy(self._source, self._target),
        }

    @property
    def reads(self) -> Mapping[str, Callable[[], object]]:
        """A sum by torch."""
        return {"sum": lambda: torch.sum(self._source, dim=0, out=self._sum)}
