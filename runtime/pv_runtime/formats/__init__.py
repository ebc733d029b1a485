"""Model files behind one interface."""

from __future__ import annotations

from pv_runtime.formats.checkpoint import Checkpoint, TensorInfo
from pv_runtime.formats.file_bytes import FileBytes, open_bytes
from pv_runtime.formats.open import open_checkpoint, read_checkpoint
from pv_runtime.formats.overlay import LazyTensor, Overlay

__all__ = [
    "Checkpoint",
    "FileBytes",
    "LazyTensor",
    "Overlay",
    "TensorInfo",
    "open_bytes",
    "open_checkpoint",
    "read_checkpoint",
]
