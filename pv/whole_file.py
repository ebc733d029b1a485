"""Replace a file whole: whoever reads it finds the old bytes or the new ones, never a part."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

__all__ = ["create_file", "replace_file"]


def replace_file(path: Path, data: bytes) -> None:
    """Write beside the target, flush to the disk, rename over it, and flush the folder."""
    import tempfile  # late: who only reads need not wait for it

    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name[:200]}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def create_file(path: Path, data: bytes) -> None:
    """Write a file that is not there yet, whole; what is there is never touched.

    Raises
    ------
    FileExistsError
        Something has that name by now.
    """
    import tempfile

    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name[:200]}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        path.hardlink_to(temporary)  # a rename would replace what came between
    finally:
        Path(temporary).unlink()
