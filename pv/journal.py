"""The journal of a sweep: JSON lines, each flushed to the disk before what it tells of goes on.

One ``sweep`` line; one ``planned`` line for each falsifier; ``start`` before each is run and ``end`` after;
``stopped`` for those that were ended by an interrupt, which is no fault of theirs; ``retry`` for those that
ended without a verdict and are to be run again; ``finish`` at the end.
A sweep may be killed at any moment: what is half written at the end of the file is as if it had never
been begun. What was started and has neither ended nor been stopped was running when the sweep was killed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pv.errors import EvidenceError, SelectionError
from pv.outcome import EXITS, Discharge, Outcome
from pv.whole_file import flush_folder, make_folder

__all__ = ["VERSION", "Journal", "Reading", "ends", "latest_journal", "read_journal"]

VERSION = 2
"""Of the format."""
_SUFFIX = ".jsonl"


class JournalError(EvidenceError):
    """A journal is no journal, or a sweep that still runs is writing it."""


@dataclasses.dataclass(frozen=True)
class Reading:
    """What a journal says; addresses are ``contract#ID``. The ends themselves are for :func:`ends`."""

    path: Path
    sweep: Mapping[str, Any]
    """The first line: when it began, by which command, with which options."""
    planned: Mapping[str, Mapping[str, Any]]
    """Address → its line of the plan, in the order in which they were to run."""
    started: Mapping[str, str]
    """Address → when it was last started."""
    outcomes: Mapping[str, Outcome]
    """Address → outcome."""
    running: tuple[str, ...]
    """What was started, has not ended, and was not stopped."""
    stepped_over: tuple[str, ...]
    """What was running when the sweep was killed, and ended in Error for it."""
    attempts: Mapping[str, tuple[str, ...]]
    """Address → why each attempt ended that was not its last."""
    finish: Mapping[str, Any] | None
    length: int
    """Bytes up to the end of the last line that is whole."""
    places: Mapping[str, int] = dataclasses.field(repr=False)
    """Address → where in the file its end stands, in the order of their ends."""

    @property
    def left(self) -> tuple[str, ...]:
        """What was to run and was not begun, or was stopped, or is to be run again; in order."""
        ended = {*self.outcomes, *self.running}
        return tuple(a for a, line in self.planned.items() if line["state"] == "run" and a not in ended)


class Journal:
    """A journal that is being written; locked, so that no two sweeps write one."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._whole: int | None = None
        """Where whole lines end, if what follows them could not be written."""

    @classmethod
    def begin(
        cls,
        path: Path,
        sweep: Mapping[str, Any],
        planned: Iterable[Mapping[str, Any]],
        ended: Iterable[Mapping[str, Any]] = (),
    ) -> Self:
        """Begin the journal `path`, with the plan; a finished one of that name is replaced.

        `ended` are the lines of what needs no run. All are written under another name first, so that what a
        reader finds is the whole plan, or what was there before.

        Raises
        ------
        JournalError
            The file is being written by another sweep, is no journal, or has a sweep that can be resumed.
        """
        make_folder(path.parent)
        before = _locked(path, os.O_CREAT)
        fresh = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
        try:
            if os.fstat(before).st_size:
                _refuse_unfinished(path)
            journal = cls(path, _locked(fresh, os.O_CREAT | os.O_EXCL))
            try:
                journal.write(
                    {"event": "sweep", "version": VERSION, **sweep},
                    *ended,
                    *({"event": "planned", **line} for line in planned),
                )
                fresh.replace(path)
                flush_folder(path.parent)
            except BaseException:
                journal.close()
                fresh.unlink(missing_ok=True)
                raise
        finally:
            os.close(before)
        return journal

    @classmethod
    def resume(cls, path: Path) -> tuple[Self, Reading]:
        """Open a journal to go on with it; what was half written is cut off.

        Raises
        ------
        SelectionError
            There is none, or nothing was planned in it.
        JournalError
            It is no journal, or the sweep still runs.
        """
        if not path.is_file():
            raise SelectionError(f"there is no journal {path}", remedy="begin a sweep without --resume")
        journal = cls(path, _locked(path, 0))
        try:
            reading = read_journal(path)
            os.ftruncate(journal._descriptor, reading.length)
        except BaseException:
            journal.close()
            raise
        return journal, reading

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let others have it."""
        os.close(self._descriptor)

    def write(self, *events: Mapping[str, Any]) -> None:
        """Append `events`, a line each, and return when they are on the disk.

        Raises
        ------
        OSError
            They cannot be written; then none of them is there.
        """
        data = "".join(json.dumps(event, allow_nan=False) + "\n" for event in events).encode()
        self._mend()
        length = os.fstat(self._descriptor).st_size
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
            os.fsync(self._descriptor)
        except BaseException:
            self._whole = length
            with contextlib.suppress(OSError):
                self._mend()
            raise

    def _mend(self) -> None:
        """Cut off what was half written: a line after half a line would be none."""
        if self._whole is not None:
            os.ftruncate(self._descriptor, self._whole)
            self._whole = None


def read_journal(path: Path) -> Reading:
    """Read a journal, whoever writes it meanwhile.

    Raises
    ------
    SelectionError
        No sweep was planned in it: it was killed before anything was run.
    JournalError
        It is no journal.
    """
    sweep: dict[str, Any] = {}
    planned: dict[str, dict[str, Any]] = {}
    started: dict[str, str] = {}
    outcomes: dict[str, Outcome] = {}
    running: dict[str, None] = {}
    stepped_over: dict[str, None] = {}
    places: dict[str, int] = {}
    attempts: dict[str, tuple[str, ...]] = {}
    finish: dict[str, Any] | None = None
    length = 0
    for event, place, stop in _events(path):
        length = stop
        try:
            match event["event"]:
                case "sweep":
                    sweep = event
                case "planned":
                    planned[event["falsifier"]] = event
                case "start":
                    started[event["falsifier"]] = event["at"]
                    running[event["falsifier"]] = None
                    outcomes.pop(event["falsifier"], None)  # what is run again has no end yet
                    stepped_over.pop(event["falsifier"], None)
                    places.pop(event["falsifier"], None)
                    finish = None
                case "end":
                    end = event["end"]
                    EXITS[end["outcome"]]  # refuses a word that is none
                    outcomes[end["address"]] = end["outcome"]
                    running.pop(end["address"], None)
                    stepped_over.pop(end["address"], None)
                    places.pop(end["address"], None)  # its last end counts, and stands last
                    places[end["address"]] = place
                    if event.get("stepped_over"):
                        stepped_over[end["address"]] = None
                case "stopped":
                    running.pop(event["falsifier"], None)
                case "retry":
                    running.pop(event["falsifier"], None)
                    attempts[event["falsifier"]] = (*attempts.get(event["falsifier"], ()), event["why"])
                case "finish":
                    finish = event
        except (LookupError, TypeError) as error:
            raise _no_journal(path) from error
    if not sweep or len(planned) != sweep["falsifiers"]:
        raise SelectionError(
            f"{path.name}: the sweep was killed before anything was run", remedy="begin it again"
        )
    return Reading(
        path,
        sweep,
        planned,
        started,
        outcomes,
        tuple(running),
        tuple(stepped_over),
        attempts,
        finish,
        length,
        places,
    )


def ends(reading: Reading) -> Iterator[tuple[Discharge, str]]:
    """Yield how each falsifier ended at last, and when, in the order of their ends; read one by one.

    Raises
    ------
    JournalError
        The file is no longer what was read.
    """
    with reading.path.open("rb") as file:
        for place in reading.places.values():
            file.seek(place)
            try:
                event = json.loads(file.readline())
                yield Discharge.from_json(event["end"]), event["at"]
            except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
                raise _no_journal(reading.path) from error


def latest_journal(folder: Path) -> Path | None:
    """Return the journal of the sweep that began last; None where there is none."""
    found = sorted(path for path in folder.glob(f"*{_SUFFIX}") if path.stat().st_size)
    return found[-1] if found else None


def _events(path: Path) -> Iterator[tuple[dict[str, Any], int, int]]:
    """Yield each event, and the bytes before it and up to its end; nothing of a last line cut short."""
    stop = 0
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            place = stop
            stop += len(line)
            try:
                event = json.loads(line)
                known = event["event"] if place else event["event"] == "sweep"
            except (ValueError, LookupError, TypeError, RecursionError) as error:
                # A disk may have kept the length of what was not flushed and not its bytes. Nothing after
                # it was flushed either.
                if b"\0" in line or not file.read(1):
                    return
                raise _no_journal(path) from error
            if not known or (event["event"] == "sweep" and event["version"] != VERSION):
                raise _no_journal(path)
            yield event, place, stop


def _locked(path: Path, flags: int) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | flags, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(descriptor), path.stat()):
            raise BlockingIOError  # another sweep has just begun the journal anew
    except OSError as error:
        os.close(descriptor)
        raise JournalError(
            f"{path.name} is being written by a sweep that still runs",
            remedy="wait for it, or name another journal with --journal",
        ) from error
    return descriptor


def _refuse_unfinished(path: Path) -> None:
    try:
        reading = read_journal(path)
    except SelectionError:
        return  # nothing was run
    if reading.left or reading.running:
        raise JournalError(
            f"{path.name} has a sweep that was not finished",
            remedy="go on with it (--resume), remove the file, or name another journal",
        )


def _no_journal(path: Path) -> JournalError:
    return JournalError(
        f"{path.name} is no journal of a sweep that this engine reads", remedy="name another, or remove it"
    )
