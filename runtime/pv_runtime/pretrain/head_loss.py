"""The output head and its loss in one, so that the logits of all positions never stand in memory at once.

Of a vocabulary of 150 000 they would be the largest thing of a step: several times the weights. Rows are
taken some at a time, and since the gradient of the loss by its logits, softmax - one-hot, needs nothing from
above but a factor, it is multiplied out at once: a backward pass finds it done, and no logit is kept for it.
It takes the same three products as the plain way. The design is that of Liger's fused linear cross-entropy
(Hsu et al. 2024, https://arxiv.org/abs/2410.10989).
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

__all__ = ["head_loss"]

_ROWS = {"cpu": 256, "cuda": 2048}
"""As few as keep a product bound by arithmetic, not by reading the head, on each kind of device."""


def head_loss(hidden: Tensor, head: Tensor, targets: Tensor, rows: int | None = None) -> Tensor:
    """Return Σ_i -ln softmax(head · hidden_i)[target_i], in nats, summed over all positions.

    Products are in the type of autocast where that is on, softmax and sums in float32 (float64 of float64).
    The order of all sums follows from shapes alone.

    Parameters
    ----------
    hidden
        ``[positions, width]``.
    head
        ``[vocabulary, width]``; a tied one is the embedding itself.
    targets
        int64 ``[positions]``, each from 0 to vocabulary - 1: none is left out.
    rows
        Positions at a time; by default what suits the device.

    Raises
    ------
    RuntimeError
        A target is outside of the vocabulary.
    """
    rows = rows or _ROWS.get(hidden.device.type, _ROWS["cuda"])
    learning = torch.is_grad_enabled() and (hidden.requires_grad or head.requires_grad)
    return cast("Tensor", _HeadLoss.apply(hidden, head, targets, rows, learning))  # type: ignore[no-untyped-call]


class _HeadLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, head: Tensor, targets: Tensor, rows: int, learning: bool) -> Tensor:
        wide = torch.promote_types(hidden.dtype, torch.float32)
        narrow = _of_products(hidden)
        matrix = head.to(narrow)
        total = torch.zeros((), dtype=wide, device=hidden.device)
        d_hidden = torch.empty_like(hidden) if learning else None
        d_head = torch.zeros_like(head) if learning else None
        for start in range(0, hidden.shape[0], rows):
            x, wanted = hidden[start : start + rows].to(narrow), targets[start : start + rows, None]
            logarithms = functional.linear(x, matrix).to(wide).log_softmax(-1)
            total -= logarithms.gather(1, wanted).sum()
            if d_hidden is None or d_head is None:
                continue
            # softmax - one-hot, in the place of the logarithms.
            d_logits = logarithms.exp_()
            d_logits.scatter_(1, wanted, d_logits.gather(1, wanted) - 1)
            d_logits = d_logits.to(narrow)
            d_hidden[start : start + rows] = d_logits @ matrix
            if narrow == head.dtype:
                d_head.addmm_(d_logits.T, x)  # without a second matrix as large as the head
            else:
                d_head += d_logits.T @ x
        if learning:
            ctx.save_for_backward(d_hidden, d_head)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, factor: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        d_hidden, d_head = ctx.saved_tensors
        # In their place: torch refuses a second pass over what was kept for the first and changed.
        return d_hidden.mul_(factor), d_head.mul_(factor), None, None, None


def _of_products(hidden: Tensor) -> torch.dtype:
    kind = hidden.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else hidden.dtype
