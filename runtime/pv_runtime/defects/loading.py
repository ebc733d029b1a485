"""Weights that a program mistakes while it loads a sound file, and files whose weights are damaged."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from pv_runtime.formats import Checkpoint, LazyTensor, Overlay
from pv_runtime.formats.overlay import from_values
from pv_runtime.quant import SCHEMES
from pv_runtime.quant.scheme import Floats
from pv_runtime.weights import LayerWeights, StreamedWeights, Weights

__all__ = [
    "AlteredWeights", "changed", "damaged_block", "generator", "misread", "rows_in_pairs", "swap_gate_and_up",
]  # fmt: skip


class AlteredWeights:
    """Weights of which one block, or the head, is taken otherwise.

    Parameters
    ----------
    base
        What the file holds.
    alter
        Given the index of a block and its weights, what the program makes of them.
    head
        Given the head, the same.
    """

    def __init__(
        self,
        base: Weights | StreamedWeights,
        alter: Callable[[int, LayerWeights], LayerWeights] = lambda _, weights: weights,
        head: Callable[[Tensor], Tensor] = lambda weight: weight,
    ) -> None:
        self._base, self._alter = base, alter
        self.architecture, self.dtype, self.device = base.architecture, base.dtype, base.device
        self.embedding, self.final_norm, self.head = base.embedding, base.final_norm, head(base.head)

    def layer(self, index: int) -> LayerWeights:
        """Return block `index`, altered."""
        return self._alter(index, self._base.layer(index))


def changed(model: Checkpoint, name: str, change: Callable[[Floats], Floats]) -> Checkpoint:
    """Put other values in the place of one tensor, in its own plain dtype."""
    info = model.info(name)
    dtype = info.dtype if info.dtype in {"F16", "F32"} else "F32"
    make = from_values(name, info.shape, lambda: change(model.tensor(name)), dtype)
    return Overlay(model, replace={name: make})


def damaged_block(model: Checkpoint, name: str, block: int) -> Checkpoint:
    """Double the scale of one block of a tensor in a block format."""
    info = model.info(name)
    scheme = SCHEMES[info.dtype]
    raw = model.raw(name).copy()
    start = block * scheme.block_bytes + scheme.scale.start
    scale = raw[start : start + 2].view("<f2")
    scale *= np.float16(2)
    return Overlay(model, replace={name: LazyTensor(info, lambda: raw)})


def misread(model: Checkpoint, name: str, scheme: str) -> Checkpoint:
    """Decode a tensor's blocks as another format's, from the first byte on."""
    info, other = model.info(name), SCHEMES[scheme]
    count = info.elements // other.block_elements * other.block_bytes
    values = other.dequantise(model.raw(name)[:count]).reshape(info.shape)
    return Overlay(model, replace={name: from_values(name, info.shape, lambda: values, "F32")})


def swap_gate_and_up(layer: int) -> Callable[[int, LayerWeights], LayerWeights]:
    """Mistake one for the other in block `layer`."""
    return lambda index, w: dataclasses.replace(w, gate=w.up, up=w.gate) if index == layer else w


def rows_in_pairs(weight: Tensor, width: int) -> Tensor:
    """Reorder each head's rows from halves to neighbouring pairs, as llama.cpp stores Llama's q and k."""
    turned = weight.view(-1, 2, width // 2, *weight.shape[1:]).transpose(1, 2)
    return turned.reshape(weight.shape)


def generator(seed: int) -> torch.Generator:
    """Return a source of random numbers that is the same every time."""
    return torch.Generator().manual_seed(seed)
