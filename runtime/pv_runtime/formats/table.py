"""A checkpoint as a table of byte ranges in one file: what the readers of both formats return."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from pv_runtime.errors import LoadError
from pv_runtime.formats.checkpoint import TensorInfo, decode
from pv_runtime.formats.file_bytes import FileBytes
from pv_runtime.quant.scheme import Bytes, Floats

__all__ = ["TableCheckpoint"]


@dataclasses.dataclass(frozen=True, eq=False)
class TableCheckpoint:
    """A `Checkpoint` whose tensors are ranges of `source`; `table` maps names to (info, start)."""

    format: str
    source: FileBytes
    metadata: Mapping[str, object]
    table: Mapping[str, tuple[TensorInfo, int]] = dataclasses.field(repr=False)
    version: str | None = None
    """The format's version, where it has one."""

    @property
    def path(self) -> str:
        """The file."""
        return self.source.path

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that belongs to the checkpoint: this one."""
        return (self.path,)

    def names(self) -> tuple[str, ...]:
        """Return the names, in the order of the data in the file."""
        return tuple(self.table)

    def info(self, name: str) -> TensorInfo:
        """Describe the tensor `name`."""
        return self._entry(name)[0]

    def raw(self, name: str) -> Bytes:
        """Return the tensor's bytes as a read-only view."""
        info, start = self._entry(name)
        return self.source.read(start, info.nbytes)

    def tensor(self, name: str) -> Floats:
        """Return the tensor as float32."""
        return decode(self.info(name), self.raw(name), self.path)

    def matrices(self) -> tuple[str, ...]:
        """Return the names of the two-dimensional tensors."""
        return tuple(name for name, (info, _) in self.table.items() if len(info.shape) == 2)

    def _entry(self, name: str) -> tuple[TensorInfo, int]:
        try:
            return self.table[name]
        except KeyError:
            raise LoadError(f"there is no tensor {name}", self.path, "`apr inspect` lists them") from None
