"""A sweep from its journal: what was planned and has not ended is run, on this machine."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import os
import shutil
import signal
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from pv import __version__
from pv.config import Config
from pv.errors import PvError
from pv.evidence import remove_partial
from pv.executors.local import LocalExecutor
from pv.journal import Journal, Reading, read_journal
from pv.outcome import Discharge, Options
from pv.selection import load_paths
from pv.subjects import Subjects
from pv.sweep import KILLED, now, run_tasks
from pv.sweep_plan import Planned, foresee
from pv.sweep_progress import show_sweep

__all__ = ["FOLDER", "begin", "go_on", "new_journal_path"]

FOLDER = Path(".pv", "sweeps")
"""Where journals lie, below the project."""
_KEPT = 20
"""Journals; older ones are removed."""


def new_journal_path(config: Config) -> Path:
    """Return the path of a journal that begins now; removes the oldest where there are many."""
    folder = config.root / FOLDER
    for old in sorted(folder.glob("*.jsonl"))[: -_KEPT + 1]:
        old.unlink(missing_ok=True)
        shutil.rmtree(_scratch(old), ignore_errors=True)
    began = dt.datetime.now(dt.UTC)
    return folder / f"{began:%Y%m%dT%H%M%S}.{began.microsecond // 1000:03}Z-{os.getpid()}.jsonl"


def begin(path: Path, planned: Sequence[Planned], options: Options, argv: Sequence[str]) -> Journal:
    """Write down what is planned, and the ends of what needs no run.

    Raises
    ------
    JournalError
        See :meth:`pv.journal.Journal.begin`.
    """
    at = now()
    kept = {key: value for key, value in dataclasses.asdict(options).items() if key != "today"}
    return Journal.begin(
        path,
        {
            "at": at,
            "pv": __version__,
            "argv": list(options.argv or argv),
            "options": kept,
            "falsifiers": len(planned),
        },
        [one.to_json() for one in planned],
        [{"event": "end", "at": at, "end": one.end.to_json()} for one in planned if one.end],
    )


def go_on(
    journal: Journal,
    reading: Reading,
    config: Config,
    *,
    retry: bool,
    jobs: int,
    failures: int | None,
    forgiven: Collection[str],
    stream: TextIO,
) -> bool:
    """Run what is left; return False where it was interrupted.

    What was running when the sweep was killed is not run again, unless it is a gate or `retry`: it may be
    what killed the host. If it had written its evidence by then, that is its end; else it ends in Error, and
    `retry` runs it later, too.
    """
    options = Options(**{**reading.sweep["options"], "argv": tuple(reading.sweep["options"]["argv"])})
    scratch = _scratch(journal.path)
    _clean(reading, config)
    shutil.rmtree(scratch, ignore_errors=True)
    again = [a for a in reading.running if retry or reading.planned[a]["gate"]]
    again += reading.stepped_over if retry else ()
    for address in reading.running:
        if address not in again:
            end = _end_of_killed(address, reading, config, options)
            killed = end.message == KILLED
            journal.write({"event": "end", "at": now(), "end": end.to_json(), "stepped_over": killed})
    tasks = [_task(reading.planned[address]) for address in (*again, *reading.left)]
    whole = True
    if tasks:
        given = {key: value for key, value in reading.sweep["options"].items() if key != "argv"}
        executor = LocalExecutor(jobs, config.root, scratch, {**given, "argv": list(options.argv)})
        with (
            contextlib.closing(executor),
            _asked_to_stop() as interrupted,
            show_sweep(stream, len(tasks)) as watcher,
        ):
            whole = run_tasks(
                tasks,
                executor,
                journal,
                watcher,
                failures=failures,
                forgiven=forgiven,
                interrupted=interrupted,
            )
        shutil.rmtree(scratch, ignore_errors=True)
        _clean(read_journal(journal.path), config)
    journal.write({"event": "finish", "at": now(), "whole": whole})
    return whole


def _scratch(journal: Path) -> Path:
    return journal.with_name(f"{journal.name}.scratch")


def _task(line: Any) -> dict[str, Any]:
    return {
        "address": line["falsifier"],
        "path": line["path"],
        "device": line["device"],
        "gate": line["gate"],
    }


def _end_of_killed(address: str, reading: Reading, config: Config, options: Options) -> Discharge:
    rule = ""
    try:
        contract = load_paths([str(config.root / reading.planned[address]["path"])], config)[0]
        falsifier = next(f for f in contract.falsifiers if f"{contract.stem}#{f.id}" == address)
        rule = falsifier.rule
        # Forced, it had fresh evidence before it began, which says nothing of how this run ended.
        if options.record and not options.force:
            found = foresee(contract, falsifier, config, Subjects(config), options)
            if found.state == "fresh" and found.end is not None:
                return found.end
    except (PvError, StopIteration):
        pass  # its contract changed meanwhile; it was running all the same
    return Discharge(address, rule, "Error", message=KILLED)


def _clean(reading: Reading, config: Config) -> None:
    """Remove records that were not renamed yet by whoever was killed: a sweep, a worker, or what ran."""
    for address in reading.started:
        if reading.outcomes.get(address, "Error") == "Error":
            stem, _, identifier = address.rpartition("#")
            remove_partial(config.evidence, stem, identifier)


@contextlib.contextmanager
def _asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Yield what tells whether SIGINT or SIGTERM came; a second one ends the program as ever."""
    asked: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def note(number: int, _frame: object) -> None:
        asked.append(number)
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, note)
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
