"""What kernels are written with, typed for mypy: Triton publishes no types.

In a kernel's signature Triton lets only its own names stand. A pointer, a length or a stride is `tl.tensor`,
as it is inside. A real number is `tl.float32`, or it would be float64 on some ways to a launch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import triton
from triton.runtime.jit import JITFunction

__all__ = ["compilable", "jit"]

jit: Callable[[Callable[..., Any]], Any] = triton.jit


def compilable(function: object) -> bool:
    """Return whether `function` can be compiled: triton was imported without TRITON_INTERPRET."""
    return isinstance(function, JITFunction)
