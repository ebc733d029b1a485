"""AdamW over two groups, its learning rate as a function of the step, and clipping.

Sources: Loshchilov and Hutter 2019 (AdamW), 2017 (cosine); Pascanu et al. 2013 (clipping by the norm).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

__all__ = ["adamw", "clip", "learning_rate", "lowest_rate"]

_BETAS, _EPSILON = (0.9, 0.95), 1e-8


def adamw(module: nn.Module, *, weight_decay: float) -> torch.optim.AdamW:
    """Return an optimiser without any moments. Matrices decay; norms and biases do not.

    β is (0.9, 0.95) and ε 1e-8. The learning rate is set before each step.
    """
    parameters = [each for each in module.parameters() if each.requires_grad]
    groups = [
        {"params": [each for each in parameters if each.ndim >= 2], "weight_decay": weight_decay},
        {"params": [each for each in parameters if each.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=0.0, betas=_BETAS, eps=_EPSILON, fused=True)


def lowest_rate(peak: float) -> float:
    """Return where the cosine ends: a hundredth of the peak, but never below 1e-7 (nor above the peak)."""
    return min(peak, max(peak / 100, 1e-7))


def learning_rate(step: int, *, peak: float, warm_up: int, steps: int) -> float:
    """Return the rate of step `step`, counted from 0.

    peak · (step + 1) / warm_up below `warm_up`; then low + (peak - low) · (1 + cos π·t) / 2, where t goes
    from 0 at the end of the warm-up to 1 at `steps`, and low is `lowest_rate`.
    """
    if step < warm_up:
        return peak * (step + 1) / warm_up
    low = lowest_rate(peak)
    done = (step - warm_up) / max(1, steps - warm_up)
    return low + (peak - low) * (1 + math.cos(math.pi * min(1.0, done))) / 2


def clip(module: nn.Module, most: float) -> Tensor:
    """Scale all gradients so that their norm is at most `most`; return the norm that they had."""
    return torch.nn.utils.clip_grad_norm_(module.parameters(), most)
