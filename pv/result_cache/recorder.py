"""Watches what a run looks at, so that its end can be remembered for as long as all of that is as it was.

Files that are opened and folders that are listed are heard of by an audit hook. What a path is, where links
lead, and variables raise no such event: ours stand in the place of the functions that say it. Whatever else a
run could learn something by (another program, the network, a database, a library, what a write did) is a
reason to remember nothing. So is what this module does not understand.

Left out is what Python itself reads to import: modules are known by the key and by the stamps of their files.
"""

from __future__ import annotations

import builtins
import importlib.util
import os
import sys
import time
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from types import FrameType
from typing import Any, NamedTuple

from pv.result_cache.environment import watched_environment
from pv.result_cache.probes import (
    CONTENT,
    ENTRIES,
    IDENTITY,
    LINK,
    PROBES,
    STAMP,
    STATE,
    TERMINAL,
    Probe,
    failed,
    link_of,
    state_of,
)

__all__ = ["Noted", "Recorder", "current", "may_be_remembered"]

_SETTLED_NS = 60 * 10**9
"""A big file that changed since then is not known by its times: see :mod:`pv.digests`."""
_TICK_NS = 2 * 10**9
"""Nor is a module: no clock of a file system is coarser."""
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_QUIET = frozenset({
    "array.__new__", "builtins.id", "code.__new__", "compile", "cpython.run_command",
    "cpython.run_file", "cpython.run_module", "exec", "function.__new__", "gc.get_objects",
    "gc.get_referents", "gc.get_referrers", "glob.glob", "glob.glob/2", "import", "marshal.dumps",
    "marshal.load", "marshal.loads", "mmap.__new__", "object.__delattr__", "object.__getattr__",
    "object.__setattr__", "os.fwalk", "os.walk", "pathlib.Path.glob", "pathlib.Path.rglob",
    "sys._current_frames", "sys._getframe", "sys._getframemodulename", "sys.addaudithook",
    "sys.excepthook", "sys.setprofile", "sys.settrace", "sys.unraisablehook", "time.sleep",
    "_thread.start_joinable_thread", "_thread.start_new_thread",
})  # fmt: skip
"""Audit events of what tells a run nothing about anything outside of it."""

_watching: list[Recorder] = []
_hooks: list[object] = []


def current() -> Recorder | None:
    """Return what watches this process now, if anything does."""
    return _watching[0] if _watching else None


def may_be_remembered() -> None:
    """Say that the run that is watched, if one is, may be remembered: without this, none is."""
    if (recorder := current()) is not None:
        recorder.permitted = True


class Noted(NamedTuple):
    """What a worker looked at, and why it cannot be remembered, if so."""

    refused: str
    found: Sequence[tuple[Probe, bytes]]


class Recorder:
    """What was looked at between :meth:`begin` and :meth:`end`, and why it cannot be remembered, if so."""

    def __init__(self) -> None:
        self.permitted = False
        self.refused = ""
        self.workers = 0
        """Whether processes that are forked now are workers that hand over what they note."""
        self._forked = 0
        self._found: dict[Probe, bytes] = {}
        self._asked: set[tuple[bytes, str]] = set()
        self._began = time.time_ns()
        self._undo: list[Callable[[], None]] = []

    def begin(self) -> None:
        """Watch from here on; one recorder at a time."""
        if _watching:
            raise RuntimeError("a run is watched already")
        _watching.append(self)
        if not _hooks:  # one for all: an audit hook cannot be taken away again
            sys.addaudithook(_hear)
            _hooks.append(_hear)
        self._put(os, "stat", self._stat(os.stat))
        self._put(os, "lstat", self._lstat(os.lstat))
        self._put(os, "readlink", self._readlink(os.readlink))
        self._put(os, "get_terminal_size", self._terminal(os.get_terminal_size))
        self._put(os, "open", self._open(os.open))
        self._put(os.path, "samefile", self._samefile(os.path.samefile))
        self._put(os.path, "samestat", self._refusing("os.path.samestat", os.path.samestat))
        for name in ("access", "statvfs", "pathconf", "getxattr", "listxattr"):
            self._put(os, name, self._refusing(f"os.{name}", getattr(os, name)))
        self._put(importlib.util, "find_spec", self._refusing("find_spec", importlib.util.find_spec))
        self._put(builtins, "input", self._refusing("input", builtins.input))
        import _posixsubprocess  # by which `multiprocessing` starts programs, without an audit event

        self._put(_posixsubprocess, "fork_exec", self._refusing("fork_exec", _posixsubprocess.fork_exec))
        self._undo.append(watched_environment(self.note))

    def end(self) -> None:
        """Watch no more."""
        _watching.clear()
        while self._undo:
            self._undo.pop()()

    def refuse(self, why: str) -> None:
        """Remember nothing of this run."""
        self.refused = self.refused or why

    def note(self, probe: Probe, found: bytes) -> None:
        """Add what a probe found, unless it was asked before."""
        self._found.setdefault(probe, found)

    def adopt(self, noted: Noted) -> None:
        """Add what another process that worked for this run noted: see :mod:`pv.result_cache.workers`."""
        self._forked -= 1
        if noted.refused:
            self.refuse(noted.refused)
        for probe, then in noted.found:
            if self._found.setdefault(probe, then) != then:
                self.refuse("something changed while it was looked at")

    def hand_over(self) -> Noted:
        """Return what was noted since this was asked last."""
        found, self._found = self._found, {}
        self._asked.clear()
        return Noted(self.refused, [*found.items()])

    def manifest(self) -> list[tuple[Probe, bytes]]:
        """Return what must be found again for the run to end in the same way; call it after :meth:`end`."""
        if self._forked:
            self.refuse("a worker handed nothing over")
        found = dict(self._found)
        for (kind, name), then in self._found.items():
            if kind in {STATE, LINK} and then.startswith(b"file "):
                # That it is there was asked, not what it holds. More than was asked does no harm.
                found.setdefault((CONTENT, name), PROBES[CONTENT](name))
            if b"big " in then[:4] and self._unsettled(then):
                self.refuse(f"{os.fsdecode(name)} changed a moment ago")
        for name in _modules():
            found[STAMP, name] = then = PROBES[STAMP](name)
            if then.startswith(b"errno") or max(map(int, then.split()[3:])) >= self._began - _TICK_NS:
                self.refuse(f"{os.fsdecode(name)} changed a moment ago")
        for folder in sys.path:
            name = os.fsencode(folder or ".")
            found.setdefault((ENTRIES, name), PROBES[ENTRIES](name))
            found.setdefault((STATE, name), PROBES[STATE](name))
        return [*_without_needless(found)]

    def _unsettled(self, found: bytes) -> bool:
        return max(map(int, found.split()[-2:])) >= self._began - _SETTLED_NS

    def _put(self, module: Any, name: str, ours: Callable[..., Any]) -> None:
        theirs = getattr(module, name)
        setattr(module, name, ours)
        self._undo.append(lambda: setattr(module, name, theirs))

    def _path(self, path: Any, descriptor: object = None) -> bytes | None:
        """Return a path as bytes; None of a descriptor, whose opening was heard of."""
        if isinstance(path, int):
            return None
        if descriptor is not None:
            self.refuse("a path relative to a descriptor")
            return None
        return os.fsencode(path)

    def _stat(self, real: Callable[..., os.stat_result]) -> Callable[..., os.stat_result]:
        followed, unfollowed = self._looks(STATE), self._looks(LINK)

        def watched(path: Any, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> os.stat_result:
            looks = followed if follow_symlinks else unfollowed
            return looks(real, path, dir_fd=dir_fd, follow_symlinks=follow_symlinks)

        return watched

    def _lstat(self, real: Callable[..., os.stat_result]) -> Callable[..., os.stat_result]:
        looks = self._looks(LINK)

        def watched(path: Any, *, dir_fd: int | None = None) -> os.stat_result:
            return looks(real, path, dir_fd=dir_fd)

        return watched

    def _looks(self, kind: bytes) -> Callable[..., os.stat_result]:
        """Return what asks for a status and notes the first answer for each path."""
        asked = self._asked

        def looks(real: Callable[..., os.stat_result], path: Any, **how: Any) -> os.stat_result:
            # Most are: of every path, all folders above it are asked for.
            if isinstance(path, str) and (kind, path) in asked:
                return real(path, **how)
            try:
                status = real(path, **how)
            except OSError as error:
                if (name := self._path(path, how["dir_fd"])) is not None:
                    self.note((kind, name), failed(error))
                raise
            if (name := self._path(path, how["dir_fd"])) is not None:
                self.note((kind, name), state_of(status) if kind == STATE else link_of(name, status))
                asked.add((kind, os.fsdecode(name)))
            return status

        return looks

    def _readlink(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def watched(path: Any, *, dir_fd: int | None = None) -> Any:
            if (name := self._path(path, dir_fd)) is not None:
                self.note((LINK, name), PROBES[LINK](name))
            return real(path, dir_fd=dir_fd)

        return watched

    def _samefile(self, real: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
        """Return what compares two files, and notes which ones they are: the same bytes may be two files."""

        def watched(one: Any, other: Any) -> bool:
            for path in (one, other):
                if (name := self._path(path)) is None:
                    self.refuse("a descriptor that is compared")
                else:
                    self.note((IDENTITY, name), PROBES[IDENTITY](name))
            return real(one, other)

        return watched

    def _terminal(self, real: Callable[[int], os.terminal_size]) -> Callable[..., os.terminal_size]:
        def watched(descriptor: int = 1) -> os.terminal_size:
            name = b"%d" % descriptor
            self.note((TERMINAL, name), PROBES[TERMINAL](name))
            return real(descriptor)

        return watched

    def _open(self, real: Callable[..., int]) -> Callable[..., int]:
        def watched(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
            if dir_fd is not None:  # which the audit event does not say
                self.refuse("a path relative to a descriptor")
            return real(path, flags, mode, dir_fd=dir_fd)

        return watched

    def _refusing(self, what: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **named: Any) -> Any:
            self.refuse(what)
            return real(*arguments, **named)

        return watched

    def hear(self, event: str, arguments: tuple[Any, ...], frame: FrameType | None) -> None:
        """Note what an audit event says was looked at."""
        if _imports(frame):
            return
        if event == "open":
            path, _, flags = arguments
            if isinstance(path, int):
                return
            if not isinstance(flags, int) or flags & _WRITES:
                self.refuse("it wrote a file")
                return
            name = os.fsencode(path)
            if (CONTENT, name) not in self._found:
                self.note((CONTENT, name), PROBES[CONTENT](name))
        elif event in {"os.listdir", "os.scandir"}:
            path = arguments[0]
            if isinstance(path, int):
                self.refuse("a folder by its descriptor")
                return
            name = b"." if path is None else os.fsencode(path)
            if (ENTRIES, name) not in self._found:
                self.note((ENTRIES, name), PROBES[ENTRIES](name))
        elif event == "os.fork" and self.workers:
            self._forked += 1
        else:
            self.refuse(event)


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watching or event in _QUIET:
        return
    recorder = _watching[0]
    frame = sys._getframe(1)  # noqa: SLF001  the only way to who asks
    if frame.f_globals.get("__name__") == "pv.result_cache.probes":
        return
    try:
        recorder.hear(event, arguments, frame)
    except Exception as error:  # what leaves a hook would end what the run was about to do
        recorder.refuse(f"{event}: {error!r}")


def _imports(frame: FrameType | None) -> bool:
    return frame is not None and frame.f_code.co_filename.startswith("<frozen importlib")


def _modules() -> Iterator[bytes]:
    """Yield the files of the modules that are loaded and that the key does not hold: libraries."""
    engine = os.path.dirname(os.path.dirname(__file__)) + os.sep  # noqa: PTH120
    standard = os.path.dirname(os.__file__) + os.sep  # noqa: PTH120
    for module in [*sys.modules.values()]:
        file = getattr(module, "__file__", None)
        if (
            isinstance(file, str)
            and not file.startswith(engine)
            and (not file.startswith(standard) or file.startswith(standard + "site-packages"))
        ):
            yield os.fsencode(file)


def _without_needless(found: MutableMapping[Probe, bytes]) -> Iterator[tuple[Probe, bytes]]:
    """Yield what is noted, less what follows from the rest."""
    absent: dict[bytes, bytes] = {}
    told: set[Probe] = set()
    for probe, then in found.items():
        kind, name = probe
        if kind == STATE and found.get((CONTENT, name), b"").startswith(b"holds "):
            continue  # the mode is in both, and the size in the digest
        if then == b"errno 2" and kind in {STATE, LINK, CONTENT}:
            # Nothing is below what is not there: one word for all that was looked for in a missing folder.
            top = _topmost_absent(name, absent)
            asked = probe if top == name else (STATE, top)
        else:
            asked = probe
        if asked not in told:
            told.add(asked)
            yield asked, then


def _topmost_absent(name: bytes, known: MutableMapping[bytes, bytes]) -> bytes:
    """Return the highest folder of the path `name` that is not there; `name` where it is in one that is."""
    folder = name.rpartition(b"/")[0]
    if not folder:
        return name
    if folder not in known:
        absent = PROBES[STATE](folder) == b"errno 2"
        known[folder] = _topmost_absent(folder, known) if absent else b""
    return known[folder] or name
