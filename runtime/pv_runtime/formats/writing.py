"""Write a file whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pv_runtime.errors import LoadError
from pv_runtime.formats.whole_folder import flush_folder

__all__ = ["naming", "writing"]

_DESCRIPTORS = Path("/proc/self/fd")


@contextlib.contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a new file that takes the place of `path` when the block ends without an error.

    Where the system can (``O_TMPFILE`` of Linux), it has no name until it is whole, so that a process
    that is killed leaves nothing behind. Elsewhere it lies beside `path` under a hidden name meanwhile.
    Bytes, and then the name, are on the disk at the end.

    Raises
    ------
    OSError
        The file cannot be written; `filename` is `path`.
    LoadError
        A mapped file that is copied into it was cut short.
    """
    target = Path(path)
    with naming(target):
        descriptor, temporary = _opened(target)
    try:
        with naming(target, unnamed_only=True), os.fdopen(descriptor, "wb") as file:
            yield file
            with naming(target):
                file.flush()
                os.fsync(descriptor)
                if temporary is None:
                    temporary = _linked(descriptor, target)
                if temporary is not None:
                    temporary.replace(target)
                flush_folder(target.parent)
    except BaseException:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def naming(path: str | os.PathLike[str], *, unnamed_only: bool = False) -> Iterator[None]:
    """Let an error of the system name `path`: the name of a temporary file tells nobody anything.

    With `unnamed_only` errors that name a file, which may be another one, stay.
    """
    try:
        yield
    except OSError as error:
        if unnamed_only and error.filename is not None:
            raise
        if error.errno == errno.EFAULT:  # of a write: the pages to be written are gone
            raise LoadError(
                "not written: its source was cut short meanwhile", path, "read it again"
            ) from error
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error


def _opened(target: Path) -> tuple[int, Path | None]:
    """Return a new file that will become `target`, and its name, if it has one."""
    without_name = getattr(os, "O_TMPFILE", 0)
    if without_name and _DESCRIPTORS.is_dir():
        with contextlib.suppress(OSError):  # of file systems that have no such thing
            return os.open(target.parent, without_name | os.O_WRONLY | os.O_CLOEXEC, 0o666), None
    descriptor, temporary = tempfile.mkstemp(prefix=_hidden(target), dir=target.parent)
    umask = os.umask(0)
    os.umask(umask)
    os.fchmod(descriptor, 0o666 & ~umask)  # mkstemp gives 0600, whatever the folder's custom
    return descriptor, Path(temporary)


def _linked(descriptor: int, target: Path) -> Path | None:
    """Give a file without a name that of `target`; where there is such a file, another, and return it."""
    here = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # With a folder's descriptor Python calls linkat, which follows the link to the file.
        for name in (target.name, _hidden(target) + os.urandom(6).hex()):
            with contextlib.suppress(FileExistsError):
                os.link(_DESCRIPTORS / str(descriptor), name, dst_dir_fd=here)
                return None if name == target.name else target.with_name(name)
    finally:
        os.close(here)
    raise FileExistsError(target)


def _hidden(target: Path) -> str:
    """Return what a temporary name begins with: with the whole of a long name it would be too long."""
    return f".{target.name[:32]}."
