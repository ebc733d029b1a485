"""A checkpoint with some tensors replaced, dropped or added, without a second copy of the rest."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from pv_runtime.errors import LoadError
from pv_runtime.formats.checkpoint import Checkpoint, TensorInfo, decode
from pv_runtime.quant.scheme import Bytes, Floats

__all__ = ["LazyTensor", "Overlay", "from_values"]


@dataclasses.dataclass(frozen=True)
class LazyTensor:
    """A tensor whose bytes are made when they are asked for, each time anew."""

    info: TensorInfo
    raw: Callable[[], Bytes]


def from_values(name: str, shape: tuple[int, ...], values: Callable[[], Floats], dtype: str) -> LazyTensor:
    """Wrap a function of float values as a tensor of `dtype` ``"F16"`` or ``"F32"``."""
    kind = {"F16": "<f2", "F32": "<f4"}[dtype]
    info = TensorInfo(name, dtype, shape, int(np.prod(shape, dtype=object)) * int(kind[-1]))
    return LazyTensor(info, lambda: np.ascontiguousarray(values().astype(kind)).reshape(-1).view(np.uint8))


class Overlay:
    """A `Checkpoint` that looks through to `base` where nothing else is said.

    Parameters
    ----------
    base
        What lies beneath. Path and format are its.
    replace
        Tensors instead of those of the same name.
    drop
        Names that are no longer there.
    add
        Tensors that were not there.
    metadata
        Metadata instead of the base's.

    Raises
    ------
    LoadError
        A tensor to replace or drop is not there, or one to add is.
    """

    def __init__(
        self,
        base: Checkpoint,
        *,
        replace: Mapping[str, LazyTensor] | None = None,
        drop: Iterable[str] = (),
        add: Mapping[str, LazyTensor] | None = None,
        metadata: Mapping[str, object] | None = None,
    ) -> None:
        dropped = set(drop)
        there = base.names()
        for name in (*(replace or {}), *dropped):
            base.info(name)
        if present := set(add or {}) & set(there):
            raise LoadError(f"tensors to add are there already: {sorted(present)}", base.path)
        self.base = base
        self._metadata = metadata
        self._own = {**(replace or {}), **(add or {})}
        self._names: tuple[str, ...] = (*(name for name in there if name not in dropped), *(add or {}))
        self._present = frozenset(self._names)

    @property
    def format(self) -> str:
        """The base's format."""
        return self.base.format

    @property
    def path(self) -> str:
        """The base's file."""
        return self.base.path

    @property
    def metadata(self) -> Mapping[str, object]:
        """The base's metadata, or what stands in for it."""
        return self.base.metadata if self._metadata is None else self._metadata

    def names(self) -> tuple[str, ...]:
        """Return the base's order, then what was added."""
        return self._names

    def info(self, name: str) -> TensorInfo:
        """Describe the tensor `name`."""
        self._require(name)
        return self._own[name].info if name in self._own else self.base.info(name)

    def raw(self, name: str) -> Bytes:
        """Return the tensor's bytes, made now if they are not the base's."""
        self._require(name)
        return self._own[name].raw() if name in self._own else self.base.raw(name)

    def tensor(self, name: str) -> Floats:
        """Return the tensor as float32."""
        if name in self._own:
            return decode(self.info(name), self.raw(name), self.path)
        self._require(name)
        return self.base.tensor(name)

    def matrices(self) -> tuple[str, ...]:
        """Return the names of the two-dimensional tensors."""
        return tuple(name for name in self._names if len(self.info(name).shape) == 2)

    def _require(self, name: str) -> None:
        if name not in self._present:
            raise LoadError(f"there is no tensor {name}", self.path)
