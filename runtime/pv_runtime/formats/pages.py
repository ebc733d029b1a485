"""Pages of a mapped file: brought in ahead of their use, and given back after it."""

from __future__ import annotations

import errno
import mmap

import numpy as np

from pv_runtime.errors import LoadError
from pv_runtime.quant.scheme import Bytes

__all__ = ["ask", "bring", "give_back"]

_POPULATE_READ = 22
"""``MADV_POPULATE_READ`` of Linux 5.14, which `mmap` does not name: map pages in one call, not by faults."""


def ask(view: Bytes) -> None:
    """Have the system begin to read what lies beneath `view` and is not in its cache; do not wait.

    Does nothing where `view` is no view of a mapped file.
    """
    _advise(view, mmap.MADV_WILLNEED, inner=False)


def bring(view: Bytes) -> None:
    """Map the pages beneath `view`, read-only, where it is a view of a mapped file; otherwise do nothing.

    Raises
    ------
    LoadError
        The file no longer has those bytes: touching them would end the process.
    """
    _advise(view, _POPULATE_READ, inner=False)


def give_back(view: Bytes) -> None:
    """Drop the whole pages beneath `view` from this process; the system's cache keeps them.

    So a sweep over files larger than memory holds one window of each. A later use maps them again.
    Does nothing to other arrays.
    """
    _advise(view, mmap.MADV_DONTNEED, inner=True)


def _advise(view: Bytes, advice: int, *, inner: bool) -> None:
    found = _mapping(view)
    if found is None:
        return
    mapping, start = found
    stop = start + view.nbytes
    if inner:  # a page shared with a neighbour stays: another thread may be reading it
        start, stop = -(-start // mmap.PAGESIZE) * mmap.PAGESIZE, stop // mmap.PAGESIZE * mmap.PAGESIZE
    else:
        start = start // mmap.PAGESIZE * mmap.PAGESIZE
    if stop <= start:
        return
    try:
        mapping.madvise(advice, start, stop - start)
    except OSError as error:
        if advice == _POPULATE_READ and error.errno == errno.EFAULT:
            raise LoadError("was cut short while it was read", "the file", "read it again") from error
        # Otherwise it is advice alone: an older kernel does without.


def _mapping(view: Bytes) -> tuple[mmap.mmap, int] | None:
    """Return the read-only mapping that `view` looks into, and where in it."""
    whole: object = view
    outermost = view
    while isinstance(whole, np.ndarray):
        outermost, whole = whole, whole.base
    if isinstance(whole, memoryview):
        whole = whole.obj
    if not isinstance(whole, mmap.mmap) or view.flags.writeable or not view.flags.c_contiguous:
        return None
    return whole, view.ctypes.data - outermost.ctypes.data
