"""A model's matrices in a block format, made as they are read."""

from __future__ import annotations

import functools

from pv_runtime.formats.checkpoint import Checkpoint, TensorInfo
from pv_runtime.formats.overlay import LazyTensor, Overlay
from pv_runtime.quant.scheme import Bytes, Scheme

__all__ = ["quantisable", "quantised_tensor", "quantised_view", "rows_fit"]


def rows_fit(info: TensorInfo, scheme: Scheme) -> bool:
    """Whether each row is a whole number of blocks: a block never spans two rows."""
    return bool(info.shape) and info.elements > 0 and info.shape[-1] % scheme.block_elements == 0


def quantisable(model: Checkpoint, scheme: Scheme) -> tuple[str, ...]:
    """Return the names of the matrices that `scheme` can hold."""
    return tuple(name for name in model.matrices() if rows_fit(model.info(name), scheme))


def quantised_tensor(model: Checkpoint, name: str, scheme: Scheme) -> LazyTensor:
    """Return `model`'s tensor `name` in `scheme`; it is quantised each time its bytes are asked for."""
    info = model.info(name)
    nbytes = info.elements // scheme.block_elements * scheme.block_bytes
    quantised = TensorInfo(name, scheme.name, info.shape, nbytes)
    return LazyTensor(quantised, functools.partial(_quantise, model, name, scheme))


def _quantise(model: Checkpoint, name: str, scheme: Scheme) -> Bytes:
    return scheme.quantise(model.tensor(name).reshape(-1))


def quantised_view(model: Checkpoint, scheme: Scheme) -> Overlay:
    """Return the matrices that `scheme` can hold, in it, and nothing else.

    The bytes of the last matrix asked for are kept, since a view and a damaged view of it are read
    side by side.
    """
    kept = quantisable(model, scheme)
    others = [name for name in model.names() if name not in set(kept)]

    @functools.lru_cache(maxsize=1)
    def quantised(name: str) -> Bytes:
        raw = _quantise(model, name, scheme)
        raw.flags.writeable = False
        return raw

    replaced = {
        name: LazyTensor(quantised_tensor(model, name, scheme).info, functools.partial(quantised, name))
        for name in kept
    }
    return Overlay(model, replace=replaced, drop=others)
