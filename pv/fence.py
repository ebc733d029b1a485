"""A fence around a run: what a check would leave behind, or ask of others, is refused by an audit hook.

A check that leaves a file where the next run finds it can tell the undamaged run from the damaged one,
and one that asks the network is judged by what no record names. Refused is what project code does itself
or through the standard library; libraries may write, and the user's folder of caches may be written. The
network is refused to all, unless the clause asks for it. What another program or compiled code does is not
seen.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import stat
import sys
from types import FrameType
from typing import Any

from pv.module_places import LIBRARIES, STANDARD

__all__ = ["Fence"]

_LEAVES = {
    "os.mkdir": (0, 2), "os.rename": (1, 3), "os.link": (1, 3), "os.symlink": (1, 2), "os.remove": (0, 1),
    "os.rmdir": (0, 1), "os.truncate": (0, None), "os.utime": (0, 3), "sqlite3.connect": (0, None),
}  # fmt: skip
"""Audit event → which of its arguments are the path, and the folder that it is relative to:
https://docs.python.org/3/library/audit_events.html."""
_PAST_US = frozenset({
    "open", "open64", "openat", "openat64", "creat", "fopen", "fopen64", "freopen", "shm_open", "syscall",
    "socket", "connect", "system", "popen",
})  # fmt: skip
"""Functions of libc that do what is watched, and are called past it."""
_WRITES = os.O_WRONLY | os.O_RDWR


class Fence:
    """Stands around this process from here on, and around what it forks; nobody can take it away again.

    What is refused raises `PermissionError` where it is tried, so that nothing was done.

    Parameters
    ----------
    project
        Real path of the project; the code below it is watched. Empty where there is none.
    scratch
        The folder that is removed when the run ends: all may be written there.
    network
        Whether the clause of the check asks for other hosts (``needs: {network: true}``).
    """

    def __init__(self, project: str, scratch: str, *, network: bool = False) -> None:
        self._project = os.path.realpath(project) + os.sep
        self._network = network
        caches = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111
        self._allowed = (os.path.realpath(scratch), os.path.realpath(caches))
        self._libraries = tuple(place + os.sep for place in LIBRARIES)
        self._standard = tuple(place + os.sep for place in STANDARD)
        self._engine = os.path.dirname(os.path.realpath(__file__)) + os.sep  # noqa: PTH120  as all here
        if project:
            sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            flags = arguments[2] if len(arguments) > 2 and isinstance(arguments[2], int) else 0
            # A file without a name is gone with the process, and a folder cannot be written as a file is.
            if flags & _WRITES and flags & os.O_TMPFILE != os.O_TMPFILE and not _is_folder(arguments[0]):
                self._leaves(arguments[0])
        elif event in _LEAVES:
            path, folder = _LEAVES[event]
            if event != "os.mkdir" or not _is_folder(arguments[path]):  # it makes nothing then
                self._leaves(arguments[path], -1 if folder is None else arguments[folder])
        elif event in {"socket.connect", "socket.getaddrinfo"} and not self._network:
            self._asks(arguments[1] if event == "socket.connect" else (arguments[0], arguments[1]))
        elif event == "ctypes.dlsym" and arguments[1] in _PAST_US and self._is_of_project():
            raise PermissionError(
                errno.EPERM, f"the check calls {arguments[1]} of a library by itself, past what is watched"
            )

    def _leaves(self, path: object, folder: int = -1) -> None:
        if not isinstance(path, str | bytes | os.PathLike):
            return  # what is open already
        try:
            within = "" if folder < 0 else os.readlink(f"/proc/self/fd/{folder}")  # noqa: PTH115
            real = os.path.realpath(os.path.join(within, os.fsdecode(os.fspath(path))))  # noqa: PTH118
        except (ValueError, OSError):
            return
        if any(real == place or real.startswith(place + os.sep) for place in self._allowed) or _is_special(
            real
        ):
            return
        if self._is_of_project():
            shown = os.path.relpath(real, self._project)
            shown = real if shown.startswith("..") else shown
            raise PermissionError(
                errno.EPERM, f"the check writes {shown}, which outlives the run; write into run.scratch()"
            )

    def _asks(self, address: object) -> None:
        host = address[0] if isinstance(address, tuple) and address else None
        if host in {None, "", b"", "localhost", b"localhost"}:
            return  # a socket of this host
        host = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
        try:
            if ipaddress.ip_address(host.partition("%")[0]).is_loopback:
                return
        except ValueError:
            pass  # a name
        raise PermissionError(
            errno.EPERM,
            f"the check asks the network for {host}, which evidence would not name; make it a subject",
        )

    def _is_of_project(self) -> bool:
        """Tell whether project code does what is heard of, itself or through the standard library."""
        frame: FrameType | None = sys._getframe(2)  # noqa: SLF001  there is no other way up
        while frame is not None:
            name = frame.f_code.co_filename
            if not name.startswith("<"):
                real = os.path.realpath(name)
                if real.startswith(self._libraries):
                    return False
                if not real.startswith((*self._standard, self._engine)):
                    return real.startswith(self._project)
            frame = frame.f_back
        return False


def _is_folder(path: object) -> bool:
    return isinstance(path, str | bytes | os.PathLike) and os.path.isdir(path)  # noqa: PTH112


def _is_special(path: str) -> bool:
    """Tell whether `path` is something that keeps nothing, as a terminal or /dev/null."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode) and not os.path.isdir(path)  # noqa: PTH112, PTH116
    except OSError:
        return False
