"""Liger-Kernel's functions, where it is installed (it is imported only then)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from pv_kernels.spec import Arguments

__all__ = ["add_rms_norm", "cross_entropy", "rms_norm", "rope", "softmax", "swiglu"]


def rms_norm(arguments: Arguments) -> Callable[[], Any]:
    """``liger_rms_norm``, computing as Llama does."""
    from liger_kernel.transformers.functional import liger_rms_norm

    x, weight, eps = (arguments[name] for name in ("x", "weight", "eps"))
    return lambda: liger_rms_norm(x, weight, eps)


def add_rms_norm(arguments: Arguments) -> Callable[[], Any]:
    """``liger_fused_add_rms_norm``."""
    from liger_kernel.transformers.functional import liger_fused_add_rms_norm

    x, residual, weight, eps = (arguments[name] for name in ("x", "residual", "weight", "eps"))
    return lambda: liger_fused_add_rms_norm(x, residual, weight, eps)


def rope(arguments: Arguments) -> Callable[[], Any]:
    """``liger_rope``, which rotates in place and takes factors that are gathered and doubled already."""
    from liger_kernel.transformers.functional import liger_rope

    positions = arguments["positions"]

    def factors(side: Tensor) -> Tensor:
        return side[positions].repeat(1, 2)[None].to(arguments["q"].dtype)

    # It wants [batch, heads, tokens, dimensions], lying in memory as ours do.
    q, k = (arguments[name][None].transpose(1, 2) for name in ("q", "k"))
    cos, sin = factors(arguments["cos"]), factors(arguments["sin"])
    return lambda: liger_rope(q, k, cos, sin)


def swiglu(arguments: Arguments) -> Callable[[], Any]:
    """``liger_swiglu``."""
    from liger_kernel.transformers.functional import liger_swiglu

    gate, up = arguments["gate"], arguments["up"]
    return lambda: liger_swiglu(gate, up)


def softmax(arguments: Arguments) -> Callable[[], Any]:
    """``liger_softmax``."""
    from liger_kernel.transformers.functional import liger_softmax

    x = arguments["x"]
    return lambda: liger_softmax(x)


def cross_entropy(logits: Tensor, targets: Tensor) -> Callable[[], Any]:
    """``liger_cross_entropy``, which writes the gradient over the logits where one is asked for."""
    from liger_kernel.transformers.functional import liger_cross_entropy

    return lambda: liger_cross_entropy(logits, targets)
