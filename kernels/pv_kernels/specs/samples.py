"""Inputs that samples are made of."""

from __future__ import annotations

import torch
from torch import Tensor

from pv_kernels.spec import Results

__all__ = ["itemsize", "normal", "used", "with_value"]


def normal(generator: torch.Generator, dtype: torch.dtype, *shape: int, scale: float = 1.0) -> Tensor:
    """Draw from a normal distribution, in float32, and round to `dtype`."""
    return (torch.randn(shape, generator=generator) * scale).to(dtype)


def with_value(tensor: Tensor, *places: tuple[int, ...], value: float) -> Tensor:
    """Return `tensor` with `value` at `places`."""
    changed = tensor.clone()
    for place in places:
        changed[place] = value
    return changed


def itemsize(tensor: Tensor) -> int:
    """Return the bytes of all elements of `tensor`."""
    return tensor.numel() * tensor.element_size()


def used(ours: Results, expected: Results, allowed: Results) -> float:
    """Return the greatest part of the allowed error that `ours` uses.

    Where NaN is expected NaN must be, and where an infinity that infinity: anything else uses infinitely
    much, and so does an error where none is allowed.
    """
    worst = 0.0
    for result, reference, bound in zip(ours, expected, allowed, strict=True):
        if result.shape != reference.shape:
            return float("inf")
        ours64, theirs = result.double(), reference.double()
        finite = theirs.isfinite()
        if not torch.equal(ours64[~finite].nan_to_num(7.0), theirs[~finite].nan_to_num(7.0)):
            return float("inf")
        error, room = (ours64 - theirs)[finite].abs(), bound[finite]
        if error.isnan().any() or (error > 0)[room == 0].any():
            return float("inf")
        parts = error[room > 0] / room[room > 0]
        worst = max(worst, float(parts.max()) if parts.numel() else 0.0)
    return worst
