"""Query, key and value projections that one file holds as one tensor, seen as three."""

from __future__ import annotations

import functools
import re

from pv_runtime.errors import LoadError
from pv_runtime.formats.checkpoint import Checkpoint, TensorInfo
from pv_runtime.formats.overlay import LazyTensor, Overlay
from pv_runtime.quant.scheme import Bytes

__all__ = ["with_split_projections"]

_FUSED = re.compile(r"(model\.layers\.\d+\.self_attn\.)qkv_proj(\.weight|\.bias)")


def with_split_projections(model: Checkpoint, heads: int, kv_heads: int) -> Checkpoint:
    """View ``qkv_proj`` tensors as ``q_proj``, ``k_proj`` and ``v_proj``, whose rows follow each other.

    Whole rows are taken, so that blocks are never taken apart. A model without them is returned as
    it is.

    Raises
    ------
    LoadError
        The rows do not divide into the heads, or a row is no whole number of blocks.
    """
    added: dict[str, LazyTensor] = {}
    fused = [(name, match) for name in model.names() if (match := _FUSED.fullmatch(name))]
    for name, match in fused:
        info, start = model.info(name), 0
        groups = heads + 2 * kv_heads
        if (
            not info.shape
            or heads < 1
            or kv_heads < 1
            or not info.shape[0]
            or info.shape[0] % groups
            or info.nbytes % info.shape[0]
        ):
            raise LoadError(
                f"tensor {name} of shape {info.shape} does not divide into {heads} query, {kv_heads} key and "
                f"{kv_heads} value heads",
                model.path,
            )
        head, row = info.shape[0] // groups, info.nbytes // info.shape[0]
        for part, count in (("q", heads), ("k", kv_heads), ("v", kv_heads)):
            rows = head * count
            place = slice(start, start + rows * row)
            split = TensorInfo(
                f"{match[1]}{part}_proj{match[2]}", info.dtype, (rows, *info.shape[1:]), rows * row
            )
            added[split.name] = LazyTensor(split, functools.partial(_rows, model, name, place))
            start += rows * row
    return Overlay(model, drop=[name for name, _ in fused], add=added) if fused else model


def _rows(model: Checkpoint, name: str, place: slice) -> Bytes:
    return model.raw(name)[place]
