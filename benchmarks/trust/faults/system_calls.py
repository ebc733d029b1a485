"""The system calls that change a folder, by their numbers, and how the files that they concern are found.

Numbers are those of Linux (``syscall_64.tbl`` of x86, ``include/uapi/asm-generic/unistd.h``).
"""

from __future__ import annotations

import dataclasses
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

__all__ = ["AT_FDCWD", "BY_NUMBER", "SECCOMP", "Place", "SystemCall"]

AT_FDCWD = -100

Kind = Literal["open", "write", "flush", "name", "size", "mode", "lock"]


@dataclasses.dataclass(frozen=True)
class Place:
    """Where the arguments say which file is meant: a descriptor, or a path (below a folder's descriptor)."""

    descriptor: int | None
    path: int | None = None


@dataclasses.dataclass(frozen=True)
class SystemCall:
    """A call: its name, what it does, the files it concerns, which argument holds the flags of an open."""

    name: str
    kind: Kind
    places: tuple[Place, ...]
    flags: int | None = None


def _of(kind: Kind, names: str, *places: Place) -> list[SystemCall]:
    return [SystemCall(name, kind, places) for name in names.split()]


_FIRST = Place(0)
_CALLS = [
    SystemCall("open", "open", (Place(None, 0),), 1),
    SystemCall("creat", "open", (Place(None, 0),)),
    SystemCall("openat", "open", (Place(0, 1),), 2),
    *_of("write", "write pwrite64 writev pwritev pwritev2", _FIRST),
    *_of("write", "sendfile", _FIRST),
    *_of("write", "copy_file_range", Place(2)),
    *_of("flush", "fsync fdatasync syncfs", _FIRST),
    *_of("name", "rename", Place(None, 0), Place(None, 1)),
    *_of("name", "link symlink", Place(None, 1)),
    *_of("name", "renameat renameat2", Place(0, 1), Place(2, 3)),
    *_of("name", "linkat", Place(2, 3)),
    *_of("name", "symlinkat", Place(1, 2)),
    *_of("name", "unlink rmdir mkdir", Place(None, 0)),
    *_of("name", "unlinkat mkdirat", Place(0, 1)),
    *_of("size", "truncate", Place(None, 0)),
    *_of("size", "ftruncate fallocate", _FIRST),
    *_of("mode", "chmod", Place(None, 0)),
    *_of("mode", "fchmod fchown", _FIRST),
    *_of("mode", "fchmodat", Place(0, 1)),
    *_of("lock", "flock", _FIRST),
]

_X86_64: Mapping[str, int] = {
    "write": 1, "open": 2, "pwrite64": 18, "writev": 20, "sendfile": 40, "flock": 73, "fsync": 74,
    "fdatasync": 75, "truncate": 76, "ftruncate": 77, "rename": 82, "mkdir": 83, "rmdir": 84, "creat": 85,
    "link": 86, "unlink": 87, "symlink": 88, "chmod": 90, "fchmod": 91, "fchown": 93, "openat": 257,
    "mkdirat": 258, "unlinkat": 263, "renameat": 264, "linkat": 265, "symlinkat": 266, "fchmodat": 268,
    "fallocate": 285, "pwritev": 296, "syncfs": 306, "renameat2": 316, "copy_file_range": 326,
    "pwritev2": 328,
}  # fmt: skip
_AARCH64: Mapping[str, int] = {
    "flock": 32, "mkdirat": 34, "unlinkat": 35, "symlinkat": 36, "linkat": 37, "renameat": 38, "truncate": 45,
    "ftruncate": 46, "fallocate": 47, "fchmod": 52, "fchmodat": 53, "fchown": 55, "openat": 56, "write": 64,
    "writev": 66, "pwrite64": 68, "pwritev": 70, "sendfile": 71, "fsync": 82, "fdatasync": 83,
    "syncfs": 267, "renameat2": 276, "copy_file_range": 285, "pwritev2": 287,
}  # fmt: skip
_NUMBERS = {"x86_64": _X86_64, "aarch64": _AARCH64}

SECCOMP = {"x86_64": 317, "aarch64": 277}.get(platform.machine(), -1)
"""The number of seccomp(2) here."""

BY_NUMBER: Mapping[int, SystemCall] = {
    number: call
    for call in _CALLS
    if (number := _NUMBERS.get(platform.machine(), {}).get(call.name)) is not None
}


def writes(flags: int) -> bool:
    """Tell whether an open with `flags` may change anything."""
    return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC))


def below(path: str, folder: Path) -> bool:
    """Tell whether `path`, as the kernel spells it, lies in `folder` or is it."""
    return path == str(folder) or path.startswith(f"{folder}/")
