"""What a kernel's wrapper refuses, by name. Nothing is guessed, converted or broadcast in silence."""

from __future__ import annotations

__all__ = [
    "InterpretOnlyError",
    "KernelError",
    "LayoutError",
    "ShapeError",
    "UnknownDtypeError",
    "ValueRangeError",
]


class KernelError(ValueError):
    """The arguments cannot be computed with. The message names the argument, what it is, what is wanted."""


class UnknownDtypeError(KernelError):
    """No kernel is written for this element type, or two arguments differ in it; convert one first."""


class ShapeError(KernelError):
    """Two shapes do not fit together, or one has a dimension too few."""


class LayoutError(KernelError):
    """The elements lie in memory as the kernel does not read them; ``.contiguous()`` makes it one it does."""


class ValueRangeError(KernelError):
    """A scalar lies outside of what the formula is defined for."""


class InterpretOnlyError(RuntimeError):
    """triton was imported while TRITON_INTERPRET was set, so that nothing can be compiled; unset it."""
