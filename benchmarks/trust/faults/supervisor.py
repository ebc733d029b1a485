"""Run a function in a process whose system calls wait for our word: each may go on, fail, or be its last.

The kernel itself stops the process before each call that changes a folder (seccomp's user notification,
Linux 5.5), so nothing is missed: not what a library does, not what SQLite does, not a child process.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import enum
import fcntl
import json
import os
import select
import signal
import socket
import struct
import traceback
from collections.abc import Callable
from pathlib import Path

from benchmarks.trust.faults.system_calls import AT_FDCWD, BY_NUMBER, SECCOMP, Kind, SystemCall, below, writes

__all__ = ["Call", "Ending", "Fail", "Word", "supervise"]

_SET_FILTER, _NEW_LISTENER, _NO_NEW_PRIVILEGES = 1, 8, 38
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_ALLOW, _NOTIFY = 0x7FFF0000, 0x7FC00000
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_CONTINUE = 1


class Word(enum.Enum):
    """What becomes of a call, but for those that fail."""

    GO_ON = enum.auto()
    SHORT = enum.auto()
    """Half of the bytes are written, and the call says so."""
    KILL = enum.auto()
    """The process is killed before the call."""


@dataclasses.dataclass(frozen=True)
class Fail:
    """The call changes nothing, and fails with this number of :mod:`errno`."""

    number: int


@dataclasses.dataclass(frozen=True)
class Call:
    """A call that waits: its number among those in the folder, what it is, who makes it, on which paths."""

    number: int
    what: SystemCall
    thread: int
    arguments: tuple[int, ...]
    paths: tuple[str, ...]

    @property
    def kind(self) -> Kind:
        """What the call does."""
        return self.what.kind

    def __str__(self) -> str:
        return f"{self.what.name}({', '.join(Path(path).name for path in self.paths)})"


@dataclasses.dataclass(frozen=True)
class Ending:
    """How the function ended: ``returned``, ``raised`` or ``killed``; what it raised."""

    how: str
    error: str = ""
    kinds: tuple[str, ...] = ()
    """The names of the classes of the error."""
    trace: str = ""


class _Instruction(ctypes.Structure):
    _fields_ = [
        ("code", ctypes.c_ushort),
        ("jump_true", ctypes.c_ubyte),
        ("jump_false", ctypes.c_ubyte),
        ("value", ctypes.c_uint32),
    ]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.POINTER(_Instruction))]


def supervise(act: Callable[[], object], folder: Path, decide: Callable[[Call], Word | Fail]) -> Ending:
    """Run `act` in a forked process, and ask `decide` before each of its calls that changes `folder`.

    Parameters
    ----------
    act
        What to run; it gets no input. What it prints is dropped.
    folder
        As :func:`os.path.realpath` spells it. Calls elsewhere go on unasked.
    decide
        Called while the process waits, so that it may look at the folder as it is.

    Raises
    ------
    OSError
        The system cannot do it.
    """
    here, there = socket.socketpair()
    report, told = os.pipe()
    child = os.fork()
    if child == 0:
        here.close()
        os.close(report)
        _child(act, there, told)
    there.close()
    os.close(told)
    try:
        with here:
            _, descriptors, _, _ = socket.recv_fds(here, 1, 1)
        if not descriptors:
            raise OSError("the kernel does not let us watch system calls (seccomp, Linux 5.5)")
        try:
            _watch(descriptors[0], child, folder, decide)
        finally:
            os.close(descriptors[0])
        with open(report, "rb", closefd=False) as said:
            data = said.read()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(report)
    if not data:
        return Ending("killed")
    stated = json.loads(data)
    return Ending(stated["how"], stated["error"], tuple(stated["kinds"]), stated["trace"])


def _child(act: Callable[[], object], parent: socket.socket, told: int) -> None:
    """Put the filter on, send its descriptor, run `act`, and report; never returns."""
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(null, standard)
        listener = _install()
        socket.send_fds(parent, [b"x"], [listener])
        os.close(listener)
        parent.close()
        stated = {"how": "returned", "error": "", "kinds": [], "trace": ""}
        try:
            act()
        except BaseException as error:
            kinds = [kind.__name__ for kind in type(error).__mro__]
            trace = "".join(traceback.format_exception(error))
            stated = {"how": "raised", "error": f"{error}", "kinds": kinds, "trace": trace[-4000:]}
        os.write(told, json.dumps(stated).encode())
    finally:
        os._exit(0)


def _install() -> int:
    """Have the kernel ask about the calls of this process; return the descriptor at which it asks."""
    libc = ctypes.CDLL(None, use_errno=True)
    count = len(BY_NUMBER)
    if not count or libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "the calls of this processor are not known")
    lines = [_Instruction(_LOAD, 0, 0, 0)]
    lines += [_Instruction(_EQUAL, count - at, 0, number) for at, number in enumerate(BY_NUMBER)]
    lines += [_Instruction(_RETURN, 0, 0, _ALLOW), _Instruction(_RETURN, 0, 0, _NOTIFY)]
    program = _Program(len(lines), (_Instruction * len(lines))(*lines))
    listener = int(libc.syscall(SECCOMP, _SET_FILTER, _NEW_LISTENER, ctypes.byref(program)))
    if listener < 0:
        raise OSError(ctypes.get_errno(), "seccomp")
    return listener


def _watch(listener: int, child: int, folder: Path, decide: Callable[[Call], Word | Fail]) -> None:
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    number = 0
    while True:
        [(_, events)] = poll.poll()
        if not events & select.POLLIN:
            return  # nobody is left whose calls we could be asked about
        asked = bytearray(80)
        try:
            fcntl.ioctl(listener, _RECEIVE, asked)
        except FileNotFoundError:
            continue  # killed meanwhile
        identity, thread, _, system_call, _, _, *arguments = struct.unpack("=QIIiIQ6Q", asked)
        what = BY_NUMBER[system_call]
        # A thread other than the first is no process whose group could be killed.
        paths = _paths(what, thread, tuple(arguments), folder)
        answer: Word | Fail = Word.GO_ON
        if paths is not None:
            call = Call(number, what, thread, tuple(arguments), paths)
            number += 1
            answer = decide(call)
        if answer is Word.KILL:
            os.killpg(child, signal.SIGKILL)
            continue
        value, error, flags = 0, 0, _CONTINUE
        if isinstance(answer, Fail):
            value, error, flags = 0, -answer.number, 0
        elif answer is Word.SHORT and (written := _half(what, thread, tuple(arguments))):
            value, error, flags = written, 0, 0
        with contextlib.suppress(FileNotFoundError):
            fcntl.ioctl(listener, _SEND, bytearray(struct.pack("=QqiI", identity, value, error, flags)))


def _paths(what: SystemCall, thread: int, arguments: tuple[int, ...], folder: Path) -> tuple[str, ...] | None:
    """Return the paths that a call concerns; None where none is in `folder`, or nothing changes."""
    try:
        paths = tuple(_path(place.descriptor, place.path, thread, arguments) for place in what.places)
    except OSError:
        return None  # of no descriptor, no process
    if not any(below(path, folder) for path in paths):
        return None
    if what.flags is not None and not writes(arguments[what.flags]) and not Path(paths[0]).is_dir():
        return None  # a file that is only read; a folder is opened to be flushed
    return paths


def _path(descriptor: int | None, path: int | None, thread: int, arguments: tuple[int, ...]) -> str:
    start = f"/proc/{thread}/cwd"
    if descriptor is not None and (number := ctypes.c_int(arguments[descriptor]).value) != AT_FDCWD:
        start = f"/proc/{thread}/fd/{number}"
    named = _text(thread, arguments[path]) if path is not None else ""
    if named.startswith("/"):
        return os.path.normpath(named)
    at = Path(start).readlink()
    return os.path.normpath(at / named) if named else str(at)


def _text(thread: int, address: int) -> str:
    """Read a string of C from the memory of a process."""
    with open(f"/proc/{thread}/mem", "rb", buffering=0) as memory:  # noqa: PTH123
        found = b""
        while b"\0" not in found and len(found) < 1 << 16:
            memory.seek(address + len(found))
            part = memory.read(256 - (address + len(found)) % 256)  # never past the end of a page
            if not part:
                break
            found += part
    return os.fsdecode(found.partition(b"\0")[0])


def _half(what: SystemCall, thread: int, arguments: tuple[int, ...]) -> int:
    """Write half of what a plain write was to write, in its place; return how many bytes that is."""
    if what.name not in {"write", "pwrite64"} or arguments[2] < 2:
        return 0
    half = arguments[2] // 2
    with open(f"/proc/{thread}/mem", "rb", buffering=0) as memory:  # noqa: PTH123
        memory.seek(arguments[1])
        data = memory.read(half)
    libc = ctypes.CDLL(None, use_errno=True)
    process = os.pidfd_open(thread)
    try:
        # The same open file, so that its position moves with it.
        same = int(libc.syscall(438, process, ctypes.c_int(arguments[0]), 0))
    finally:
        os.close(process)
    if same < 0:
        raise OSError(ctypes.get_errno(), "pidfd_getfd")
    try:
        return os.write(same, data) if what.name == "write" else os.pwrite(same, data, arguments[3])
    finally:
        os.close(same)
