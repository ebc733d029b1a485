"""Writes what is remembered, whole or not at all, and throws away what was not used for longest."""

from __future__ import annotations

import contextlib
import os

from pv.result_cache.entry import MOST_BYTES, Entry, pack
from pv.result_cache.place import is_ours, make_place

__all__ = ["keep", "used"]

MOST_ENTRIES = 500
MOST_BYTES_TOGETHER = 256 << 20
_ASIDE = ".pv-"
"""So begin the names of entries that are being written."""


def keep(place: str, key: str, entry: Entry) -> bool:
    """Remember `entry` under `key` in the folder `place`; whether that could be done.

    Any number of processes may do so at once: a reader finds the one or the other.
    """
    data = pack(entry, key)
    if len(data) > MOST_BYTES:
        return False
    import tempfile  # late: what is found needs it not

    try:
        make_place(place)
        if not is_ours(os.stat(place)):  # noqa: PTH116
            return False
        descriptor, aside = tempfile.mkstemp(prefix=_ASIDE, dir=place)  # mode 0600
    except OSError:
        return False
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.replace(aside, f"{place}/{key}")  # noqa: PTH105
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(aside)  # noqa: PTH108
        return False
    with contextlib.suppress(OSError):
        _tidy(place)
    return True


def used(place: str, key: str) -> None:
    """Say that what `key` names was used now."""
    with contextlib.suppress(OSError):
        os.utime(f"{place}/{key}")


def _tidy(place: str) -> None:
    """Take away the entries that were not used for longest, until few and small enough are left."""
    found = []
    with os.scandir(place) as entries:
        for each in entries:
            if not _is_entry(each.name):
                continue
            with contextlib.suppress(OSError):  # another process took it away
                status = each.stat(follow_symlinks=False)
                found.append((status.st_mtime_ns, status.st_size, each.path))
    found.sort()
    together = sum(size for _, size, _ in found)
    while found and (len(found) > MOST_ENTRIES or together > MOST_BYTES_TOGETHER):
        _, size, path = found.pop(0)
        together -= size
        with contextlib.suppress(OSError):
            os.unlink(path)  # noqa: PTH108


def _is_entry(name: str) -> bool:
    """Tell whether we call entries so, or what is to become one: nothing else is taken away."""
    return name.startswith(_ASIDE) or (len(name) == 64 and not name.strip("0123456789abcdef"))
