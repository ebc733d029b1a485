"""Reads files that somebody else put there: a pipe that nobody writes to is not waited for."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

__all__ = ["read_regular_file"]


def read_regular_file(path: Path) -> bytes:
    """Return the bytes of the regular file that `path` is, or leads to.

    Raises
    ------
    OSError
        It is not there, cannot be read, or is a folder, a pipe, a socket or a device.
    """
    # What it is, is asked of what was opened: the name may stand for something else a moment later.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:  # noqa: PTH123  (a descriptor, not a path)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "no regular file", str(path))
        return file.read()
