"""Cross-entropy over rows of logits: the loss in one read, or the loss with the gradient of the logits.

``loss = log(sum_j exp(x_j - m)) - (x_t - m)`` with ``m = max_j x_j``, for each row x and its target t, and
``d loss / d x_j = exp(x_j - m) / sum_i exp(x_i - m) - [j = t]``, times a factor of the row.

Source: Milakov and Gimelshein 2018, arXiv:1805.02867, for the running maximum and sum; the gradient as in
Liger-Kernel, arXiv:2410.10989, which may be written over the logits. The mathematics is float32 whatever the
logits are, and the loss is float32.

A row whose target is `ignore_index` has a loss and a gradient of 0, whatever its logits are. Of the others:

- A target that is no column makes loss and gradient NaN. Nothing outside of the row is read, and nothing is
  raised: that would mean to wait for the GPU. torch raises an error on a CPU and ends the process on a GPU.
- A NaN or an infinity among the logits makes loss and gradient of its row NaN, and so does a row of nothing
  but minus infinity. Elsewhere minus infinity has no share. As the target's logit it makes the loss infinite,
  and the gradient stays finite. A loss beyond float32 is infinite.
"""

from __future__ import annotations

import torch
import triton.language as tl
from torch import Tensor

from pv_kernels.errors import ValueRangeError
from pv_kernels.language import jit
from pv_kernels.operands import buffer, per_row, rows, same
from pv_kernels.tuning import Tuning

__all__ = [
    "IGNORE_INDEX",
    "SPACE",
    "choose",
    "cross_entropy",
    "cross_entropy_kernel",
    "cross_entropy_with_gradient",
    "cross_entropy_with_gradient_kernel",
]

IGNORE_INDEX = -100
"""That of torch."""
SPACE = (Tuning({"block": 2048, "vector": 8}, warps=4), Tuning({"block": 8192, "vector": 8}, warps=16))
"""`vector` neighbours, 128 bits in half precision, share a maximum, so that an exp is saved for most."""


@jit
def _maximum_and_sum(
    x_ptr: tl.tensor,  # [columns]
    columns: tl.tensor,
    block: tl.constexpr,
    vector: tl.constexpr,
) -> tuple[tl.tensor, tl.tensor]:
    """Return m, or 0 where it is minus infinity, and ``sum_j exp(x_j - m)``, in one read."""
    offsets = tl.arange(0, block // vector)[:, None] * vector + tl.arange(0, vector)[None, :]
    # Every lane of `vector` columns keeps a maximum and a sum of its own: they meet once, after the loop.
    top = tl.full([block // vector], float("-inf"), dtype=tl.float32)
    total = tl.zeros([block // vector], dtype=tl.float32)
    for start in range(0, columns, block):
        mask = start + offsets < columns
        x = tl.load(x_ptr + start + offsets, mask=mask, other=float("-inf")).to(tl.float32)
        higher = tl.maximum(top, tl.max(x, axis=1))
        # Minus infinity less itself is NaN: a lane that has seen nothing else subtracts 0 instead.
        shift = tl.where(higher == float("-inf"), 0.0, higher)
        total = total * tl.exp(top - shift) + tl.sum(tl.exp(x - shift[:, None]), axis=1)
        top = higher
    most = tl.max(top, axis=0)
    shift = tl.where(most == float("-inf"), 0.0, most)
    return shift, tl.sum(total * tl.exp(top - shift), axis=0)


@jit
def cross_entropy_kernel(
    logits_ptr: tl.tensor,  # [rows, columns]
    targets_ptr: tl.tensor,  # [rows], int64
    loss_ptr: tl.tensor,  # [rows], float32
    logits_stride: tl.tensor,
    columns: tl.tensor,
    ignore_index: tl.tensor,
    block: tl.constexpr,
    vector: tl.constexpr,
) -> None:
    """Compute the loss of one row a program."""
    row = tl.program_id(0).to(tl.int64)  # rows times stride may pass 2^31
    logits_ptr += row * logits_stride
    target = tl.load(targets_ptr + row)
    if target == ignore_index:
        tl.store(loss_ptr + row, 0.0)
    else:
        known = (target >= 0) & (target < columns)
        chosen = tl.load(logits_ptr + target, mask=known, other=0.0).to(tl.float32)
        shift, total = _maximum_and_sum(logits_ptr, columns, block, vector)
        loss = tl.log(total) - (chosen - shift)
        tl.store(loss_ptr + row, tl.where(known, loss, float("nan")))


@jit
def cross_entropy_with_gradient_kernel(
    logits_ptr: tl.tensor,  # [rows, columns]
    targets_ptr: tl.tensor,  # [rows], int64
    upstream_ptr: tl.tensor,  # [rows], float32
    loss_ptr: tl.tensor,  # [rows], float32
    gradient_ptr: tl.tensor,  # [rows, columns], may be the logits
    logits_stride: tl.tensor,
    gradient_stride: tl.tensor,
    columns: tl.tensor,
    ignore_index: tl.tensor,
    block: tl.constexpr,
    vector: tl.constexpr,
) -> None:
    """Compute loss and gradient of one row a program: once over it for the sum, once for the gradient."""
    row = tl.program_id(0).to(tl.int64)
    logits_ptr += row * logits_stride
    gradient_ptr += row * gradient_stride
    offsets = tl.arange(0, block)
    element = gradient_ptr.dtype.element_ty
    target = tl.load(targets_ptr + row)
    if target == ignore_index:
        tl.store(loss_ptr + row, 0.0)
        nothing = tl.zeros([block], dtype=tl.float32).to(element)
        for start in range(0, columns, block):
            tl.store(gradient_ptr + start + offsets, nothing, mask=start + offsets < columns)
    else:
        known = (target >= 0) & (target < columns)
        # The target's logit is read before the sum, whose barrier all threads pass before any writes over it.
        chosen = tl.load(logits_ptr + target, mask=known, other=0.0).to(tl.float32)
        upstream = tl.load(upstream_ptr + row)
        shift, total = _maximum_and_sum(logits_ptr, columns, block, vector)
        loss = tl.log(total) - (chosen - shift)
        tl.store(loss_ptr + row, tl.where(known, loss, float("nan")))
        upstream = tl.where(known, upstream, float("nan"))
        inverse = 1.0 / total
        for start in range(0, columns, block):
            mask = start + offsets < columns
            x = tl.load(logits_ptr + start + offsets, mask=mask, other=float("-inf")).to(tl.float32)
            share = tl.exp(x - shift) * inverse
            gradient = (share - tl.where(start + offsets == target, 1.0, 0.0)) * upstream
            tl.store(gradient_ptr + start + offsets, gradient.to(element), mask=mask)


def choose(columns: int) -> Tuning:
    """Return the small block for rows that fit it, so that threads are not idle."""
    return SPACE[columns > SPACE[0].constants["block"]]


def cross_entropy(
    logits: Tensor, targets: Tensor, *, ignore_index: int = IGNORE_INDEX, loss: Tensor | None = None
) -> Tensor:
    """Return the loss of every row, ``[...]`` in float32.

    Parameters
    ----------
    logits
        ``[..., columns]``; rows may be further apart than they are long.
    targets
        ``[...]``, int64, contiguous: a column for each row, or `ignore_index`.
    ignore_index
        The target of rows whose loss is 0. It may be a column.
    loss
        Where to write the result, contiguous.

    Raises
    ------
    UnknownDtypeError, ShapeError, LayoutError, ValueRangeError
        See `pv_kernels.errors`. The values of targets are not looked at.
    """
    same(logits=logits)
    logits_rows = rows("logits", logits)
    target_rows = _targets(logits, targets, ignore_index)
    loss = _losses(logits, loss)
    if loss.numel():
        count, columns = logits_rows.shape
        cross_entropy_kernel[(count,)](
            *(logits_rows, target_rows, loss, logits_rows.stride(0), columns, ignore_index),
            **choose(columns).options(),
        )
    return loss


def cross_entropy_with_gradient(
    logits: Tensor,
    targets: Tensor,
    upstream: Tensor,
    *,
    ignore_index: int = IGNORE_INDEX,
    loss: Tensor | None = None,
    gradient: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the loss of every row, and what its logits have to do with it.

    Parameters
    ----------
    logits, targets, ignore_index
        As in `cross_entropy`.
    upstream
        ``[...]``, float32, contiguous: the derivative of what is minimised by the loss of each row, such as
        one over the number of rows where that is their mean.
    loss, gradient
        Where to write the results, ``[...]`` in float32 and ``[..., columns]`` in the type of the logits;
        `logits` itself is allowed as `gradient`, the usual way.

    Raises
    ------
    UnknownDtypeError, ShapeError, LayoutError, ValueRangeError
        See `pv_kernels.errors`. The values of targets are not looked at.
    """
    same(logits=logits)
    logits_rows = rows("logits", logits)
    target_rows = _targets(logits, targets, ignore_index)
    factors = per_row("upstream", upstream, logits, torch.float32)
    loss, gradient = _losses(logits, loss), buffer("gradient", gradient, logits)
    gradient_rows = rows("gradient", gradient)
    if loss.numel():
        count, columns = logits_rows.shape
        cross_entropy_with_gradient_kernel[(count,)](
            *(logits_rows, target_rows, factors, loss, gradient_rows),
            *(logits_rows.stride(0), gradient_rows.stride(0), columns, ignore_index),
            **choose(columns).options(),
        )
    return loss, gradient


def _targets(logits: Tensor, targets: Tensor, ignore_index: int) -> Tensor:
    if not -(2**63) <= ignore_index < 2**63:
        raise ValueRangeError(f"ignore_index is {ignore_index}; wanted is one that an int64 target can be")
    return per_row("targets", targets, logits, torch.int64)


def _losses(logits: Tensor, given: Tensor | None) -> Tensor:
    if given is None:
        return torch.empty(logits.shape[:-1], dtype=torch.float32, device=logits.device)
    per_row("loss", given, logits, torch.float32)
    return given
