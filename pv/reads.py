"""Which files of a project a process reads: seen by an audit hook, also in what it forks.

Seen are files that Python opens, libraries that ``ctypes`` and databases that ``sqlite3`` open, and files and
modules that another program is started with. What that program or compiled code reads is not seen.
"""

from __future__ import annotations

import fcntl
import glob
import itertools
import os
import shlex
import sys
from collections.abc import Iterable, Iterator
from typing import Any

__all__ = ["Reads"]

_STARTS = {"subprocess.Popen": 1, "os.exec": 1, "os.posix_spawn": 1, "os.system": 0}
"""Audit event → which of its arguments has the words: https://docs.python.org/3/library/audit_events.html."""
_MOST_FILES = 1000
"""A pattern that a shell is given is looked at no further than this."""
_SHELLS = frozenset({"sh", "ash", "bash", "dash", "ksh", "zsh", "busybox"})
_OPENS = frozenset({"ctypes.dlopen", "sqlite3.connect"})


class Reads:
    """Collects the real paths of the files below `project` that are read from here on.

    An audit hook cannot be taken away again: this is for a process that ends soon.
    """

    def __init__(self, project: str) -> None:
        self._root = project + os.sep
        self._read: set[str] = set()
        self._owner = os.getpid()
        # What a forked process collects is its own; through this file, its parent hears of it.
        self._shared = os.memfd_create("reads")
        fcntl.fcntl(self._shared, fcntl.F_SETFL, os.O_APPEND)
        if project:
            sys.addaudithook(self._hear)

    def files(self) -> set[str]:
        """Return what was read by now, by this process or by one that it forked."""
        size = os.fstat(self._shared).st_size
        told = os.pread(self._shared, size, 0).split(b"\0") if size else []
        return self._read | {os.fsdecode(path) for path in told if path}

    def forget(self, path: str) -> None:
        """Take out what this process has read so far, as if it had not."""
        self._read.discard(os.path.realpath(path))

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            flags = arguments[2] if len(arguments) > 2 and isinstance(arguments[2], int) else 0
            if arguments and flags & os.O_ACCMODE != os.O_WRONLY:
                self._add(arguments[0])
        elif event in _OPENS and arguments:
            self._add(arguments[0], there=True)
        elif event in _STARTS and len(arguments) > _STARTS[event]:
            for path in _named(arguments[_STARTS[event]]):
                self._add(path, there=True)

    def _add(self, path: object, *, there: bool = False) -> None:
        if not isinstance(path, str | bytes | os.PathLike):
            return
        try:
            real = os.path.realpath(os.fsdecode(os.fspath(path)))
        except (ValueError, OSError):
            return
        if not real.startswith(self._root) or real in self._read:
            return
        if there and not os.path.isfile(real):  # noqa: PTH113  as all here: a hook must be quick
            return
        self._read.add(real)
        if os.getpid() != self._owner:
            os.write(self._shared, os.fsencode(real) + b"\0")


def _split(text: str) -> list[str]:
    """Split the text that a shell is given."""
    try:
        return list(shlex.shlex(text, posix=True, punctuation_chars=True))
    except ValueError:
        return text.split()


def _named(words: object) -> Iterator[str]:
    """Yield what may be files among the words that start a program, and the files of ``-m MODULE``."""
    if isinstance(words, str | bytes):
        words = ["sh", "-c", words]
    if not isinstance(words, Iterable):
        return
    shell, before = None, ""
    for given in words:
        if not isinstance(given, str | bytes | os.PathLike):
            continue
        word = os.fsdecode(os.fspath(given))
        yield word
        if shell is None:
            shell = word.rpartition(os.sep)[2] in _SHELLS
        if before == "-c":
            for part in _split(word):
                yield part
                # To Python, which has such an option as well, a star is no pattern.
                if shell and "*" in part:
                    yield from itertools.islice(glob.iglob(part), _MOST_FILES)  # noqa: PTH207
        if before == "-m":
            base = word.replace(".", os.sep)
            for folder in ("", *sys.path):
                for name in (f"{base}.py", os.path.join(base, "__init__.py")):  # noqa: PTH118
                    yield os.path.join(folder, name)  # noqa: PTH118
                yield os.path.join(folder, base, "__main__.py")  # noqa: PTH118
        before = word
