"""Open a checkpoint of whatever format, told by its first bytes and never by its name."""

from __future__ import annotations

import os
from pathlib import Path

from pv_runtime.errors import LoadError
from pv_runtime.formats.apr import read_apr
from pv_runtime.formats.apr_header import MAGICS
from pv_runtime.formats.checkpoint import Checkpoint
from pv_runtime.formats.file_bytes import FileBytes, open_bytes
from pv_runtime.formats.gguf import read_gguf
from pv_runtime.formats.safetensors import read_safetensors

__all__ = ["open_checkpoint", "read_checkpoint"]

_PROTOCOLS = {b"\x02", b"\x03", b"\x04", b"\x05"}


def open_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Open a safetensors or GGUF file, or a folder that holds exactly one.

    Only the header is read; tensors stay mapped in the file. The ``config.json`` of a folder is read
    with it; beside a file that is opened by itself it is not.

    Raises
    ------
    LoadError
        There is no such file, it is of neither format, or its header is broken.
    """
    folder = Path(path)
    return read_checkpoint(open_bytes(path), folder if folder.is_dir() else None)


def read_checkpoint(source: FileBytes, folder: Path | None = None) -> Checkpoint:
    """Read a checkpoint out of bytes that are open already; see `open_checkpoint`."""
    head = source.read(0, min(source.size, 9)).tobytes()
    if not head:
        raise LoadError("is empty", source.path, "fetch or build it again")
    if head[:4] == b"GGUF":
        return read_gguf(source)
    if head[:4] in MAGICS:
        return read_apr(source)
    if head[:4] == b"PK\x03\x04" or (head[:1] == b"\x80" and head[1:2] in _PROTOCOLS and head[8:9] != b"{"):
        raise LoadError(
            "is a pickle (torch.save), which runs code when it is loaded, and is refused",
            source.path,
            "convert it to safetensors where you trust it",
        )
    return read_safetensors(source, folder)
