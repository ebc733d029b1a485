"""A checkpoint that lies in several files: shards with an index, or the parts of a split file."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping

from pv_runtime.errors import LoadError
from pv_runtime.formats.checkpoint import TensorInfo
from pv_runtime.formats.table import TableCheckpoint
from pv_runtime.quant.scheme import Bytes, Floats

__all__ = ["JoinedCheckpoint"]


@dataclasses.dataclass(frozen=True, eq=False)
class JoinedCheckpoint:
    """A `Checkpoint` whose tensors are those of its `parts`, in their order.

    Parameters
    ----------
    path
        The file that was opened: the index, or the first part.
    parts
        The files that hold the tensors.

    Raises
    ------
    LoadError
        A tensor is in two parts.
    """

    format: str
    path: str
    metadata: Mapping[str, object]
    parts: tuple[TableCheckpoint, ...] = dataclasses.field(repr=False)

    def __post_init__(self) -> None:
        for part in self.parts:
            for name in part.names():
                if (other := self._parts[name]) is not part:
                    raise LoadError(f"the tensor {name} is in {part.path} and in {other.path}", self.path)

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that belongs to the checkpoint, what was opened first, each once."""
        return tuple(dict.fromkeys((self.path, *(part.path for part in self.parts))))

    @property
    def version(self) -> str | None:
        """The first part's version of the format, where it has one."""
        return self.parts[0].version

    @functools.cached_property
    def _parts(self) -> dict[str, TableCheckpoint]:
        return {name: part for part in self.parts for name in part.names()}

    def names(self) -> tuple[str, ...]:
        """Return the names, in the order of the parts and of the data in each."""
        return tuple(self._parts)

    def info(self, name: str) -> TensorInfo:
        """Describe the tensor `name`."""
        return self.part(name).info(name)

    def raw(self, name: str) -> Bytes:
        """Return the tensor's bytes as a read-only view."""
        return self.part(name).raw(name)

    def tensor(self, name: str) -> Floats:
        """Return the tensor as float32."""
        return self.part(name).tensor(name)

    def matrices(self) -> tuple[str, ...]:
        """Return the names of the two-dimensional tensors."""
        return tuple(name for name, part in self._parts.items() if len(part.info(name).shape) == 2)

    def part(self, name: str) -> TableCheckpoint:
        """Return the file that holds the tensor `name`."""
        try:
            return self._parts[name]
        except KeyError:
            raise LoadError(f"there is no tensor {name}", self.path, "`apr inspect` lists them") from None
