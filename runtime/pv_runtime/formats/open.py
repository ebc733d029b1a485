"""Open a checkpoint of whatever format, told by its first bytes and never by its name."""

from __future__ import annotations

import os
from pathlib import Path

from pv_runtime.errors import LoadError
from pv_runtime.formats.apr import read_apr
from pv_runtime.formats.apr_header import MAGICS
from pv_runtime.formats.checkpoint import Checkpoint
from pv_runtime.formats.file_bytes import FileBytes, open_bytes
from pv_runtime.formats.foreign import refuse_foreign
from pv_runtime.formats.gguf import read_gguf
from pv_runtime.formats.gguf_split import is_split, read_split
from pv_runtime.formats.safetensors import read_safetensors
from pv_runtime.formats.sharded import is_index, read_sharded

__all__ = ["open_checkpoint", "read_checkpoint"]


def open_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Open a safetensors, GGUF or APR file, the index or first part of one in pieces, or a folder of one.

    Only headers are read; tensors stay mapped in the files. The ``config.json`` of a folder is read
    with it; beside a file that is opened by itself it is not.

    Raises
    ------
    LoadError
        There is no such file, it is of no format that is read here, or its header is broken.
    """
    folder = Path(path)
    return read_checkpoint(open_bytes(path), folder if folder.is_dir() else None)


def read_checkpoint(source: FileBytes, folder: Path | None = None) -> Checkpoint:
    """Read a checkpoint out of bytes that are open already; see `open_checkpoint`."""
    if not source.size:
        raise LoadError("is empty", source.path, "fetch or build it again")
    magic = source.copy(0, min(source.size, 4))
    if magic == b"GGUF":
        model = read_gguf(source)
        return read_split(model) if is_split(model) else model
    if magic in MAGICS:
        return read_apr(source)
    if is_index(source):
        return read_sharded(source, folder)
    refuse_foreign(source)
    return read_safetensors(source, folder)
