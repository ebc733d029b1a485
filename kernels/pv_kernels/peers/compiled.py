"""The formula, handed to torch.compile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from pv_kernels.spec import Arguments
from pv_kernels.speed import Peer

__all__ = ["compiled", "eager"]


def compiled(formula: Callable[..., Any]) -> Peer:
    """Return the peer that torch.compile makes of `formula`, for exactly the shapes that it is given."""

    def prepare(arguments: Arguments) -> Callable[[], Any]:
        # Its helpers are processes, which would be left over when a check ends.
        torch._inductor.config.compile_threads = 1  # noqa: SLF001  no other switch
        made = torch.compile(formula, fullgraph=True, dynamic=False)
        return lambda: made(**arguments)

    return prepare


def eager(function: Callable[..., Any]) -> Peer:
    """Return the peer that calls `function` with the arguments by name."""
    return lambda arguments: lambda: function(**arguments)
