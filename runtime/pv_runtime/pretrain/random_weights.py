"""Weights to train from nothing."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pv_runtime.architecture import Architecture, tensor_shapes

__all__ = ["draw"]


def draw(architecture: Architecture, seed: int) -> dict[str, Tensor]:
    """Return random float32 weights: the same for one seed, on whichever device they are trained.

    Matrices are normal with the deviation min(0.02, sqrt(2 / (5 · hidden))) (Nguyen and Salazar 2019, where
    that is the smaller), those that end a residual branch with it over sqrt(2 · layers) (Radford et al.
    2019); norms are 1, biases 0. The first loss is then ln(vocab) to within a few tenths.
    """
    deviation = min(0.02, math.sqrt(2 / (5 * architecture.hidden_size)))
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, shape in tensor_shapes(architecture):
        if name.endswith("norm.weight"):
            weights[name] = torch.ones(shape)
        elif name.endswith(".bias"):
            weights[name] = torch.zeros(shape)
        else:
            ends_branch = name.endswith(("o_proj.weight", "down_proj.weight"))
            std = deviation / math.sqrt(2 * architecture.layers) if ends_branch else deviation
            weights[name] = torch.empty(shape).normal_(0.0, std, generator=generator)
    return weights
