"""The bytes of a file, mapped; and the same file with another head or length, without a copy.

Headers are copied with `pread`: a page of a mapping that was cut off meanwhile ends the process with a
signal, where a call of the system returns fewer bytes, which is an error with a name.
"""

from __future__ import annotations

import dataclasses
import mmap
import os
import stat
import weakref

import numpy as np

from pv_runtime.errors import LoadError
from pv_runtime.formats.folder import weights_in
from pv_runtime.quant.scheme import Bytes

__all__ = ["FileBytes", "open_bytes", "shrunken"]

_TRUNCATED = "the file was truncated while it was open"


class _Descriptor:
    """An open file that is closed with the last who holds this."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._close = os.close  # kept: at the end of the program `os` may be gone first

    def __del__(self) -> None:
        self._close(self.number)


@dataclasses.dataclass(frozen=True, eq=False)
class FileBytes:
    """Read-only bytes: `head`, then the file from byte `skip` on, cut to `size`.

    With the defaults that `open_bytes` gives it is the file itself. A counter-example of a header
    replaces the head, so that no second copy of a large file is written.
    """

    path: str
    mapped: Bytes = dataclasses.field(repr=False)
    mapping: mmap.mmap | None = dataclasses.field(repr=False)
    size: int
    head: bytes = b""
    skip: int = 0
    descriptor: _Descriptor | None = dataclasses.field(default=None, repr=False)

    def copy(self, start: int, length: int) -> bytes:
        """Return `length` bytes from byte `start`, copied; for headers, which are small.

        Raises
        ------
        LoadError
            The range leaves the file, or the file has shrunk since it was opened.
        """
        self._require(start, length)
        pieces = [self.head[start : start + length]]
        start += len(pieces[0])
        missing = length - len(pieces[0])
        if missing and self.descriptor is None:
            return self.read(start - len(pieces[0]), length).tobytes()
        while missing and self.descriptor is not None:
            # A call of the system returns at most 2 GiB.
            place = start - len(self.head) + self.skip
            pieces.append(os.pread(self.descriptor.number, missing, place))
            if not pieces[-1]:
                raise LoadError(_TRUNCATED, self.path, "open it again")
            start, missing = start + len(pieces[-1]), missing - len(pieces[-1])
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def read(self, start: int, length: int) -> Bytes:
        """Return uint8 ``[length]`` from byte `start`: a view into the mapping where one can be had.

        Raises
        ------
        LoadError
            The range leaves the file, or the file has shrunk since it was opened (touching a page
            that is gone would kill the process).
        """
        self._require(start, length)
        if self.mapping is not None and self.mapping.size() < len(self.mapping):
            raise LoadError(_TRUNCATED, self.path, "open it again")
        first = start - len(self.head) + self.skip
        if start >= len(self.head):
            return self.mapped[first : first + length]
        head = np.frombuffer(self.head[start : start + length], dtype=np.uint8)
        if len(head) == length:
            return head
        joined = np.concatenate([head, self.mapped[self.skip : self.skip + length - len(head)]])
        joined.flags.writeable = False
        return joined

    def _require(self, start: int, length: int) -> None:
        if start < 0 or length < 0 or start + length > self.size:
            raise LoadError(f"bytes {start}..{start + length} lie outside the file's {self.size}", self.path)

    def with_head(self, head: bytes, *, instead_of: int) -> FileBytes:
        """Return these bytes with `head` instead of the first `instead_of` (of at most `size`) ones."""
        beyond = max(0, instead_of - len(self.head))
        return dataclasses.replace(
            self,
            head=head + self.head[instead_of:],
            skip=self.skip + beyond,
            size=len(head) + self.size - instead_of,
        )

    def cut(self, size: int) -> FileBytes:
        """Return the first `size` of these bytes."""
        return dataclasses.replace(self, size=min(size, self.size))


def open_bytes(path: str | os.PathLike[str]) -> FileBytes:
    """Map a regular file, or the one checkpoint in a folder, read-only.

    Raises
    ------
    LoadError
        There is no such file, it cannot be read, or it is no regular file.
    """
    name = weights_in(os.fspath(path))
    try:
        # Non-blocking, so that a FIFO is refused below and not waited for.
        descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise LoadError(f"cannot be opened: {reason}", name) from error
    try:
        return _map(descriptor, name)
    except OSError as error:
        raise LoadError(f"cannot be mapped: {error.strerror}", name) from error
    finally:
        os.close(descriptor)


def _map(descriptor: int, name: str) -> FileBytes:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise LoadError("is no regular file", name, "name a file or a folder that holds one")
    if status.st_size == 0:
        return FileBytes(name, np.zeros(0, np.uint8), None, 0)
    mapping = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)  # keeps a descriptor of its own
    held = _Descriptor(os.dup(descriptor))
    found = FileBytes(name, np.frombuffer(mapping, dtype=np.uint8), mapping, len(mapping), descriptor=held)
    _OPEN.add(found)
    return found


_OPEN: weakref.WeakSet[FileBytes] = weakref.WeakSet()


def shrunken() -> list[str]:
    """Return the files that are open here and shorter than they were when they were opened."""
    return [
        file.path
        for file in list(_OPEN)
        if file.mapping is not None and file.mapping.size() < len(file.mapping)
    ]
