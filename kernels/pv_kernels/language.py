"""What kernels are written with, typed for mypy: Triton publishes no types.

Annotations that Triton does not know, such as `Pointer`, are for the reader; it takes types from the call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import triton
from triton.runtime.jit import JITFunction

__all__ = ["Block", "Integer", "Pointer", "Real", "compilable", "jit"]

Pointer: TypeAlias = Any
"""The address of a tensor's first element."""
Integer: TypeAlias = Any
"""A whole number known at launch: a length or a stride, in elements."""
Real: TypeAlias = Any
"""A float32 known at launch."""
Block: TypeAlias = Any
"""A block of values in registers."""

jit: Callable[[Callable[..., Any]], Any] = triton.jit


def compilable(function: object) -> bool:
    """Return whether `function` can be compiled: triton was imported without TRITON_INTERPRET."""
    return isinstance(function, JITFunction)
