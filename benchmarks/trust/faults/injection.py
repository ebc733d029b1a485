"""Go through every point of an operation with every kind of fault, and look at what a reader sees.

A *point* is one system call that changes the folder, with one thing that befalls it. What must hold at each:
a reader sees what was before or what is after; who was told that it is done finds it done; and the next
command works.
"""

from __future__ import annotations

import dataclasses
import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Hashable, Iterator, Sequence
from pathlib import Path

from benchmarks.trust.faults.disk import Disk, Image
from benchmarks.trust.faults.memory import memory
from benchmarks.trust.faults.operations import Operation
from benchmarks.trust.faults.supervisor import Call, Ending, Fail, Word, supervise

__all__ = ["FAULTS", "Found", "Tally", "inject"]

_ERRORS = ("ENOSPC", "EIO", "EROFS", "EACCES", "EDQUOT", "EINTR")
_INTERRUPTED = frozenset({"open", "write", "flush", "lock"})
"""Kinds of calls that a signal can interrupt; the others Linux never ends so."""
_TAKES_ROOM = frozenset({"open", "write", "name", "size"})
FAULTS = (*_ERRORS, "short", "full", "read-only", "kill", "power")
"""Errors of one call; half a write; errors of this call and all later ones; a kill before it; lost power."""

_State = tuple[str, Image]
"""At which call the power went, and what it left."""


@dataclasses.dataclass(frozen=True)
class Found:
    """Something that does not hold: of which operation, at which call, with which fault, and what."""

    operation: str
    point: str
    fault: str
    what: str

    def __str__(self) -> str:
        return f"{self.operation}: {self.fault} at {self.point}: {self.what}"


@dataclasses.dataclass(frozen=True)
class Tally:
    """What came of one operation: its calls, how many faults befell them, how many states lost power left."""

    operation: str
    calls: int
    points: int
    images: int
    found: Sequence[Found]


class _Seen:
    """What a reader must see: what was before, or what is after."""

    def __init__(self, operation: Operation, old: Hashable, new: Hashable) -> None:
        self.operation, self.old, self.new = operation, old, new

    def wrong(self, folder: Path, *, done: bool, what: str = "") -> str:
        """Say what is wrong in `folder`; empty where nothing is. `done`: it must be what is after."""
        try:
            seen = self.operation.read(folder)
        except Exception as error:
            return f"{what}a reader fails: {type(error).__name__}: {error}"
        if seen == self.new:
            return ""
        if done:
            return f"{what}it was said to be done, and is not: {_short(seen)}"
        if seen == self.old or self.operation.between(self.old, self.new, seen):
            return ""
        return f"{what}half: {_short(seen)}"

    def wrong_next(self, folder: Path) -> str:
        """Say what is wrong once the next command was run in `folder`."""
        ending = supervise(lambda: (self.operation.again or self.operation.act)(folder), folder, _go_on)
        if ending.how != "returned":
            return f"the next command fails: {ending.error}\n{ending.trace}"
        return self.wrong(folder, done=True, what="after the next command ")


def inject(
    operation: Operation, faults: Sequence[str] = FAULTS, every: int = 1, work: Path | None = None
) -> Tally:
    """Go through `operation` with `faults`, at every point, or at each `every`-th of them.

    Parameters
    ----------
    work
        Where folders are made; by default in memory, where a flush takes no time, and else in the system's
        place for them.

    Raises
    ------
    RuntimeError
        The operation does not work, or changes nothing that a reader sees, without any fault.
    """
    with tempfile.TemporaryDirectory(prefix="pv-faults-", dir=work or memory()) as name:
        top = Path(os.path.realpath(name))
        before = top / "before"
        before.mkdir()
        operation.prepare(before)
        calls, images, ends, seen = _recorded(operation, before, top)
        found: list[Found] = []
        points = [
            (at, fault)
            for at, call in enumerate(calls)
            for fault in faults
            if fault != "power" and _befalls(fault, call)
        ][every - 1 :: every]
        for at, fault in points:
            if what := _wrong(before, top, at, fault, seen):
                found.append(Found(operation.name, f"{at} {calls[at]}", fault, what))
        promised = operation.promise == "durable"
        left = [
            (point, image, done)
            for done, states in ((False, images), (promised, ends))
            for point, image in _each_once(states)
            if "power" in faults
        ][every - 1 :: every]
        for point, image, done in left:
            if what := _wrong_image(image, top, seen, done=done):
                found.append(Found(operation.name, point, "power", what))
        return Tally(operation.name, len(calls), len(points), len(left), found)


def _recorded(
    operation: Operation, before: Path, top: Path
) -> tuple[list[Call], list[_State], list[_State], _Seen]:
    """Run the operation without faults; return its calls, and what lost power leaves at each, and after."""
    folder = _copied(before, top)
    old = operation.read(folder)
    calls: list[Call] = []
    images: list[_State] = []
    with Disk(folder) as disk:

        def decide(call: Call) -> Word:
            disk.before(call)
            images.extend((f"{call.number} {call}", image) for image in disk.images())
            if call.kind == "flush":
                disk.flushed(call)
            calls.append(call)
            return Word.GO_ON

        ending = supervise(lambda: operation.act(folder), folder, decide)
        disk.before(None)
        ends = [("its end", image) for image in disk.images()]
    if ending.how != "returned":
        raise RuntimeError(f"{operation.name} fails without any fault: {ending.error}\n{ending.trace}")
    new = operation.read(folder)
    if new == old or not calls:
        raise RuntimeError(f"{operation.name} changes nothing that a reader sees")
    shutil.rmtree(folder)
    return calls, images, ends, _Seen(operation, old, new)


def _each_once(images: list[_State]) -> Iterator[_State]:
    seen = set()
    for point, image in images:
        if image.digest not in seen:
            seen.add(image.digest)
            yield point, image


def _befalls(fault: str, call: Call) -> bool:
    match fault:
        case "EINTR":
            return call.kind in _INTERRUPTED
        case "short":
            return call.what.name in {"write", "pwrite64"}
        case "full":
            return call.kind in _TAKES_ROOM
        case _:
            return True


def _decide(at: int, fault: str) -> Callable[[Call], Word | Fail]:
    def decide(call: Call) -> Word | Fail:
        if call.number < at:
            return Word.GO_ON
        if fault == "read-only":
            return Fail(errno.EROFS) if call.kind not in {"flush", "lock"} else Word.GO_ON
        if fault == "full":
            removes = call.what.name.startswith(("unlink", "rmdir", "rename"))
            return Fail(errno.ENOSPC) if call.kind in _TAKES_ROOM and not removes else Word.GO_ON
        if call.number > at:
            return Word.GO_ON
        if fault == "kill":
            return Word.KILL
        return Word.SHORT if fault == "short" else Fail(getattr(errno, fault))

    return decide


def _wrong(before: Path, top: Path, at: int, fault: str, seen: _Seen) -> str:
    operation = seen.operation
    folder = _copied(before, top)
    try:
        ending = supervise(lambda: operation.act(folder), folder, _decide(at, fault))
        return (
            _wrong_ending(ending, operation)
            or seen.wrong(folder, done=ending.how == "returned" and operation.promise != "cache")
            or seen.wrong_next(folder)
        )
    finally:
        shutil.rmtree(folder)


def _wrong_ending(ending: Ending, operation: Operation) -> str:
    if ending.how == "raised" and not {*ending.kinds} & {*operation.ours}:
        return f"ends with {ending.kinds[0]}: {ending.error}\n{ending.trace}"
    return ""


def _wrong_image(image: Image, top: Path, seen: _Seen, *, done: bool) -> str:
    folder = top / "folder"
    folder.mkdir()
    try:
        image.make(folder)
        return seen.wrong(folder, done=done) or seen.wrong_next(folder)
    finally:
        shutil.rmtree(folder)


def _copied(before: Path, top: Path) -> Path:
    folder = top / "folder"
    shutil.copytree(before, folder, symlinks=True)
    return folder


def _go_on(_: Call) -> Word:
    return Word.GO_ON


def _short(seen: Hashable) -> str:
    return repr(seen)[:300]
