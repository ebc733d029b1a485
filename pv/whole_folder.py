"""Replace a folder whole: whoever opens its path finds the old one or the new one, and never a part."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from pathlib import Path

from pv.whole_file import flush_folder

__all__ = ["replace_folder"]

_HERE = -100
_EXCHANGE = 2
"""``AT_FDCWD`` and ``RENAME_EXCHANGE`` of renameat2(2)."""


def replace_folder(fresh: Path, target: Path) -> None:
    """Put the folder `fresh` at `target`; what was there lies at `fresh` then.

    Both lie on one file system, all of which is flushed first: so many files one by one would take longer.

    Raises
    ------
    OSError
        It cannot be done; what was at `target` is there still.
    """
    _flush_all(fresh)
    if not target.exists():
        fresh.rename(target)
    elif not _exchanged(fresh, target):
        _in_two_steps(fresh, target)
    flush_folder(target.parent)


def _flush_all(folder: Path) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if library.syncfs(descriptor):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(folder))
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
