"""Replace a file whole: whoever reads it finds the old bytes or the new ones, never a part.

When one of these functions returns, what it did outlasts a loss of power: bytes are flushed before they get
their name, and the folder that holds the name after.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["create_file", "flush_folder", "make_folder", "replace_file"]


def replace_file(path: Path, data: bytes) -> None:
    """Write beside the target, flush to the disk, rename over it, and flush the folder."""
    with _written_beside(path, data) as temporary:
        temporary.replace(path)
    flush_folder(path.parent)


def create_file(path: Path, data: bytes) -> None:
    """Write a file that is not there yet, whole; what is there is never touched.

    Raises
    ------
    FileExistsError
        Something has that name by now.
    """
    with _written_beside(path, data) as temporary:
        path.hardlink_to(temporary)  # a rename would replace what came between
    flush_folder(path.parent)


def make_folder(path: Path) -> None:
    """Make a folder that may be there, and those above it; what is in it could be lost with its name else."""
    try:
        with os.scandir(path) as entries:
            if next(entries, None) is not None:
                return
        # Whoever made it may have been killed before its name was on the disk.
    except FileNotFoundError:
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
    flush_folder(path.parent)


def flush_folder(path: Path) -> None:
    """Have the names in a folder on the disk."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextlib.contextmanager
def _written_beside(path: Path, data: bytes) -> Iterator[Path]:
    """Write `data`, on the disk, to a file beside `path`; it is gone at the end, unless it was renamed."""
    import tempfile  # late: who only reads need not wait for it

    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name[:200]}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        yield Path(temporary)
    finally:
        Path(temporary).unlink(missing_ok=True)
