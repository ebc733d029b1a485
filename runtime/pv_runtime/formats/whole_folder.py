"""Put a folder that was written aside in the place of another: a reader finds the old one or the new one."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from pathlib import Path

__all__ = ["flush_folder", "replace_folder"]

_HERE = -100
_EXCHANGE = 2
"""``AT_FDCWD`` and ``RENAME_EXCHANGE`` of renameat2(2)."""


def replace_folder(fresh: Path, target: Path) -> None:
    """Put the folder `fresh`, whose files are flushed, at `target`; what was there lies at `fresh` then.

    Both lie on one file system. Where that cannot exchange them in one step, `target` is not there for a
    moment.

    Raises
    ------
    OSError
        It cannot be done; what was at `target` is there still.
    """
    flush_folder(fresh)
    if not target.exists():
        fresh.rename(target)
    elif not _exchanged(fresh, target):
        _in_two_steps(fresh, target)
    flush_folder(target.parent)


def flush_folder(folder: Path) -> None:
    """Have the names in a folder on the disk: until then a loss of power may take them back."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _exchanged(fresh: Path, target: Path) -> bool:
    """Exchange the two in one step; False where the file system cannot."""
    library = ctypes.CDLL(None, use_errno=True)
    if not library.renameat2(_HERE, os.fsencode(fresh), _HERE, os.fsencode(target), _EXCHANGE):
        return True
    number = ctypes.get_errno()
    if number in {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}:
        return False
    raise OSError(number, os.strerror(number), str(target))


def _in_two_steps(fresh: Path, target: Path) -> None:
    aside = fresh.with_name(f"{fresh.name}.old")
    target.rename(aside)
    try:
        fresh.rename(target)
    except OSError:
        with contextlib.suppress(OSError):
            aside.rename(target)
        raise
    aside.rename(fresh)
