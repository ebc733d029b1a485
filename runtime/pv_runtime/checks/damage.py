"""Defects planted in a checkpoint, as overlays: what counter-examples are made of."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pv.check import CheckError
from pv_runtime.formats import Checkpoint, LazyTensor, Overlay, TensorInfo
from pv_runtime.formats.overlay import from_values
from pv_runtime.quant import SCHEMES, Scheme
from pv_runtime.quant.scheme import Bytes, Floats

__all__ = [
    "edit_block",
    "emptied",
    "first_quantised",
    "replaced_values",
    "with_exchanged",
    "with_extra",
    "without_last",
    "without_metadata",
]


def first_quantised(model: Checkpoint) -> str:
    """Name the first tensor in a block format.

    Raises
    ------
    CheckError
        There is none: the defect cannot be planted here.
    """
    for name in model.names():
        if model.info(name).dtype in SCHEMES:
            return name
    raise CheckError(f"{model.path} has no tensor in a block format to damage")


def edit_block(model: Checkpoint, edit: Callable[[Bytes, Scheme], Bytes]) -> Overlay:
    """Apply `edit` to one block's bytes: the middle block of the first block-quantised tensor.

    A block whose values the edit leaves as they are in fp16 (all scales zero) is passed over for the
    next one. An edit that changes none is planted all the same: that the falsifier does not notice it
    is then the verdict's to say, and not an error.

    Raises
    ------
    CheckError
        No tensor is in a block format.
    """
    name = first_quantised(model)
    scheme = SCHEMES[model.info(name).dtype]
    raw = model.raw(name)
    count = raw.size // scheme.block_bytes
    for index in (*range(count // 2, count), *range(count // 2)):
        place = slice(index * scheme.block_bytes, (index + 1) * scheme.block_bytes)
        edited = edit(raw[place].copy(), scheme)
        if _visible(scheme, raw[place], edited):
            break

    def damaged() -> Bytes:
        copy = model.raw(name).copy()
        copy[place] = edited
        return copy

    return Overlay(model, replace={name: LazyTensor(model.info(name), damaged)})


def _visible(scheme: Scheme, before: Bytes, after: Bytes) -> bool:
    with np.errstate(over="ignore"):
        old, new = (scheme.dequantise(raw).astype(np.float16) for raw in (before, after))
    return not np.array_equal(old.view(np.uint16), new.view(np.uint16))


def without_last(model: Checkpoint) -> Overlay:
    """Drop the last tensor."""
    return Overlay(model, drop=model.names()[-1:])


def emptied(model: Checkpoint) -> Overlay:
    """Drop every tensor."""
    return Overlay(model, drop=model.names())


def with_extra(model: Checkpoint) -> Overlay:
    """Add a small matrix that nobody expects."""
    name = "pv.unexpected.weight"
    extra = from_values(name, (2, 256), lambda: np.ones((2, 256), np.float32), "F16")
    return Overlay(model, add={name: extra})


def without_metadata(model: Checkpoint) -> Overlay:
    """Forget what the file says of itself."""
    return Overlay(model, metadata={})


def with_exchanged(model: Checkpoint) -> Overlay:
    """Exchange the data of the first two tensors of one shape and dtype whose bytes differ.

    Raises
    ------
    CheckError
        There are no such two.
    """
    seen: dict[tuple[str, tuple[int, ...]], str] = {}
    for name in (*model.matrices(), *model.names()):
        info = model.info(name)
        first = seen.setdefault((info.dtype, info.shape), name)
        if first != name and not np.array_equal(model.raw(first), model.raw(name)):
            return Overlay(model, replace={first: _as(model, first, name), name: _as(model, name, first)})
    raise CheckError(f"{model.path} has no two different tensors of one shape to exchange")


def _as(model: Checkpoint, name: str, other: str) -> LazyTensor:
    info = model.info(other)
    renamed = TensorInfo(name, info.dtype, info.shape, info.nbytes)
    return LazyTensor(renamed, lambda: model.raw(other))


def replaced_values(
    model: Checkpoint, names: tuple[str, ...], change: Callable[[Floats], Floats], dtype: str
) -> Overlay:
    """Replace the values of `names` by `change` of them, stored as `dtype` ``"F16"`` or ``"F32"``."""

    def replacement(name: str) -> LazyTensor:
        return from_values(name, model.info(name).shape, lambda: change(model.tensor(name)), dtype)

    return Overlay(model, replace={name: replacement(name) for name in names})
