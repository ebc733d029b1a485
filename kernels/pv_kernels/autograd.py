"""The kernels of a training step, as functions that torch differentiates: forward and backward by Triton.

Each keeps what it was given, and computes anew what its gradient takes of it. Gradients are constants to
torch: they are not differentiated again. Attention in training is torch's ``scaled_dot_product_attention``.

The gradients are those of `pv_kernels.specs`, in the type of what they belong to.
"""

from __future__ import annotations

from typing import Any, Literal, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

import pv_kernels.cross_entropy
import pv_kernels.rmsnorm
import pv_kernels.rope
import pv_kernels.swiglu
from pv_kernels.cross_entropy import IGNORE_INDEX, cross_entropy_with_gradient
from pv_kernels.errors import ValueRangeError
from pv_kernels.rmsnorm_backward import rms_norm_backward
from pv_kernels.swiglu_backward import swiglu_backward

__all__ = ["cross_entropy", "rms_norm", "rope", "swiglu"]

Reduction = Literal["mean", "sum", "none"]


class _RMSNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.eps = eps
        return pv_kernels.rmsnorm.rms_norm(x, weight, eps)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight = ctx.saved_tensors
        # The gradient of a sum is one number, expanded: its elements share a place.
        return *rms_norm_backward(dy.contiguous(), x, weight, ctx.eps), None


class _SwiGLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:
        ctx.save_for_backward(gate, up)
        return pv_kernels.swiglu.swiglu(gate, up)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, Tensor]:
        return swiglu_backward(dy.contiguous(), *ctx.saved_tensors)


class _RoPE(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, positions: Tensor, cos: Tensor, sin: Tensor
    ) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(positions, cos, sin)
        return pv_kernels.rope.rope(q, k, positions, cos, sin)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dq: Tensor, dk: Tensor) -> tuple[Tensor | None, ...]:
        turned = pv_kernels.rope.rope_backward(dq.contiguous(), dk.contiguous(), *ctx.saved_tensors)
        return *turned, None, None, None


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor, ignore_index: int, overwrite: bool) -> Tensor:
        ctx.save_for_backward(logits, targets)
        ctx.ignore_index, ctx.overwrite = ignore_index, overwrite
        return pv_kernels.cross_entropy.cross_entropy(logits, targets, ignore_index=ignore_index)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None, None]:
        logits, targets = ctx.saved_tensors
        _, gradient = cross_entropy_with_gradient(
            logits,
            targets,
            upstream.contiguous(),
            ignore_index=ctx.ignore_index,
            gradient=logits.detach() if ctx.overwrite else None,
        )
        if ctx.overwrite:
            # Whoever needs the logits once more, a second backward too, is told by torch that they are gone.
            torch.autograd.graph.increment_version(logits)
        return gradient, None, None, None


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Normalise rows as `pv_kernels.rmsnorm.rms_norm`, with gradients of `x` and `weight`.

    Raises
    ------
    UnknownDtypeError, ShapeError, LayoutError, ValueRangeError
        As there; going back, a ShapeError where rows have more than 8192 columns.
    """
    return cast("Tensor", _RMSNorm.apply(x, weight, eps))  # type: ignore[no-untyped-call]


def swiglu(gate: Tensor, up: Tensor) -> Tensor:
    """Return ``silu(gate) * up`` as `pv_kernels.swiglu.swiglu`, with gradients of both.

    Raises
    ------
    UnknownDtypeError, ShapeError, LayoutError
        As there.
    """
    return cast("Tensor", _SwiGLU.apply(gate, up))  # type: ignore[no-untyped-call]


def rope(q: Tensor, k: Tensor, positions: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
    """Rotate queries and keys as `pv_kernels.rope.rope`, with gradients of both, and none of the table.

    Raises
    ------
    UnknownDtypeError, ShapeError, LayoutError
        As there.
    """
    return cast("tuple[Tensor, Tensor]", _RoPE.apply(q, k, positions, cos, sin))  # type: ignore[no-untyped-call]


def cross_entropy(
    logits: Tensor,
    targets: Tensor,
    *,
    ignore_index: int = IGNORE_INDEX,
    reduction: Reduction = "mean",
    overwrite: bool = False,
) -> Tensor:
    """Return the cross-entropy of rows, with a gradient of `logits`: one read forth, three streams back.

    A loop that knows what a row's loss will count can do with three streams together, without this function:
    it calls `pv_kernels.cross_entropy.cross_entropy_with_gradient` and ``logits.backward(gradient)``.

    Parameters
    ----------
    logits, targets, ignore_index
        As in `pv_kernels.cross_entropy.cross_entropy`, which says what becomes of a target that is no column:
        it raises nothing, and makes the mean NaN.
    reduction
        As in torch: the mean is over the rows that are not ignored, NaN where all are. Nothing is waited for.
    overwrite
        Write the gradient over the logits, which then cost no memory twice. torch refuses whoever needs them
        afterwards.

    Returns
    -------
    Tensor
        float32: a scalar, or ``[...]`` for ``none``.

    Raises
    ------
    ValueRangeError
        The reduction is another word.
    UnknownDtypeError, ShapeError, LayoutError
        See `pv_kernels.errors`.
    """
    losses = cast("Tensor", _CrossEntropy.apply(logits, targets, ignore_index, overwrite))  # type: ignore[no-untyped-call]
    match reduction:
        case "none":
            return losses
        case "sum":
            return losses.sum()
        case "mean":
            return losses.sum() / (targets != ignore_index).sum()
        case _:
            raise ValueRangeError(f"reduction is {reduction!r}; wanted is mean, sum or none")
