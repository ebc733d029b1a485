"""A sweep from its journal: what was planned and has not ended is run, by an executor."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import functools
import os
import shutil
import signal
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from pv import __version__
from pv.config import Config
from pv.errors import PvError
from pv.evidence import remove_partial
from pv.executors import make_executor
from pv.executors.local import LocalExecutor
from pv.executors.protocol import Executor, Setup
from pv.forecast import longest_first, recorded_seconds
from pv.journal import Journal, Reading, read_journal
from pv.outcome import Discharge, Options
from pv.selection import load_paths
from pv.subjects import Subjects
from pv.sweep import KILLED, now, run_tasks
from pv.sweep_plan import Hosts, Planned, foresee
from pv.sweep_progress import show_sweep

__all__ = ["FOLDER", "Place", "begin", "go_on", "new_journal_path", "scratch_of"]

FOLDER = Path(".pv", "sweeps")
"""Where journals lie, below the project."""
_KEPT = 20
"""Journals; older ones are removed."""


def new_journal_path(config: Config) -> Path:
    """Return the path of a journal that begins now; removes the oldest where there are many."""
    folder = config.root / FOLDER
    for old in sorted(folder.glob("*.jsonl"))[: -_KEPT + 1]:
        old.unlink(missing_ok=True)
        shutil.rmtree(scratch_of(old), ignore_errors=True)
    began = dt.datetime.now(dt.UTC)
    last = max((name for path in folder.glob("*Z-*.jsonl") if (name := _began(path.name))), default=began)
    # The last journal is the one that --resume takes, also where the clock was set back since.
    began = max(began, last + dt.timedelta(milliseconds=1))
    return folder / f"{began:%Y%m%dT%H%M%S}.{began.microsecond // 1000:03}Z-{os.getpid()}.jsonl"


def _began(name: str) -> dt.datetime | None:
    """Return the time that the name of a journal states."""
    try:
        return dt.datetime.strptime(f"{name.partition('Z')[0]}+0000", "%Y%m%dT%H%M%S.%f%z")
    except ValueError:
        return None


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a sweep runs, as its journal keeps it: the executor's name and its settings."""

    executor: str
    settings: Mapping[str, Any]

    def open(self, config: Config, journal: Path, options: Mapping[str, Any], jobs: int | None) -> Executor:
        """Return the executor, for the sweep of `journal`.

        Raises
        ------
        ConfigError
            See :func:`pv.executors.make_executor`.
        """
        scratch = scratch_of(journal)
        return make_executor(self.executor, Setup(config.root, scratch, options, jobs, self.settings))


def begin(
    path: Path,
    planned: Sequence[Planned],
    options: Options,
    argv: Sequence[str],
    place: Place,
    *,
    ordered: bool = False,
) -> Journal:
    """Write down what is planned, and the ends of what needs no run; `ordered` says that its order is wanted.

    Raises
    ------
    JournalError
        See :meth:`pv.journal.Journal.begin`.
    """
    at = now()
    return Journal.begin(
        path,
        {
            "at": at,
            "pv": __version__,
            "argv": list(options.argv or argv),
            "options": options.to_json(),
            "executor": place.executor,
            "settings": dict(place.settings),
            "ordered": ordered,
            "falsifiers": len(planned),
        },
        [one.to_json() for one in planned],
        [{"event": "end", "at": at, "end": one.end.to_json()} for one in planned if one.end],
    )


def go_on(
    journal: Journal,
    reading: Reading,
    config: Config,
    executor: Executor,
    *,
    retry: bool,
    failures: int | None,
    forgiven: Collection[str],
    stream: TextIO,
) -> bool:
    """Run what is left; return False where it was interrupted.

    What was running when the sweep was killed is not run again, unless it is a gate or `retry`: it may be
    what killed the host. If it had written its evidence by then, that is its end; else it ends in Error, and
    `retry` runs it later, too. What was running on other hosts killed nothing here: it is taken over where it
    still runs, and else run again.
    """
    options = Options.from_json(reading.sweep["options"])
    scratch = scratch_of(journal.path)
    _clean(reading, config)
    if not executor.elsewhere:
        shutil.rmtree(scratch, ignore_errors=True)
    adopted: list[dict[str, Any]] = []
    again = [*reading.stepped_over] if retry else []
    for address in reading.running:
        if executor.adopt(task := _task(reading, address)):
            adopted.append(task)
        elif retry or task["gate"]:
            again.append(address)
        else:
            end = _end_of_killed(address, reading, config, executor, options)
            killed = end.message == KILLED
            if killed and executor.elsewhere:
                again.append(address)
                continue
            end = dataclasses.replace(end, attempts=reading.attempts.get(address, ()))
            journal.write({"event": "end", "at": now(), "end": end.to_json(), "stepped_over": killed})
    left = [*again, *reading.left]
    known = recorded_seconds([*(str(task["address"]) for task in adopted), *left], config.evidence)
    # Where the first failures end it, what is asked first is what was named first.
    if executor.slots > 1 and failures is None and not reading.sweep.get("ordered"):
        left = longest_first(left, known)
    tasks = [_task(reading, address) for address in left]
    whole = True
    if tasks or adopted:
        gates = LocalExecutor(1, config.root, scratch, options.to_json())
        run = [str(task["address"]) for task in (*adopted, *tasks)]
        with (
            contextlib.closing(gates),
            contextlib.closing(executor),
            _asked_to_stop() as interrupted,
            show_sweep(stream, run, known) as watcher,
        ):
            whole = run_tasks(
                tasks,
                executor,
                journal,
                watcher,
                failures=failures,
                forgiven=forgiven,
                interrupted=interrupted,
                adopted=adopted,
                attempts=reading.attempts,
                receive=functools.partial(_receive, planned=reading.planned, config=config),
                gate_executor=gates if executor.elsewhere else None,
            )
        shutil.rmtree(scratch, ignore_errors=True)
        _clean(read_journal(journal.path), config)
    journal.write({"event": "finish", "at": now(), "whole": whole})
    return whole


def scratch_of(journal: Path) -> Path:
    """Return the folder in which the runs of the sweep of `journal` get theirs."""
    return journal.with_name(f"{journal.name}.scratch")


def _task(reading: Reading, address: str) -> dict[str, Any]:
    line = reading.planned[address]
    return {
        "address": line["falsifier"],
        "path": line["path"],
        "device": line["device"],
        "gate": line["gate"],
        "retries": line["retries"],
        "attempt": len(reading.attempts.get(address, ())),
    }


def _receive(records: Mapping[str, str], planned: Mapping[str, Mapping[str, Any]], config: Config) -> None:
    from pv.sweep_records import take_records  # late: what is recorded here need not be carried

    take_records(records, planned, config)


def _end_of_killed(
    address: str, reading: Reading, config: Config, executor: Executor, options: Options
) -> Discharge:
    rule = ""
    try:
        contract = load_paths([str(config.root / reading.planned[address]["path"])], config)[0]
        falsifier = next(f for f in contract.falsifiers if f"{contract.stem}#{f.id}" == address)
        rule = falsifier.rule
        # Forced, it had fresh evidence before it began, which says nothing of how this run ended.
        if options.record and not options.force:
            found = foresee(contract, falsifier, config, Subjects(config), options, Hosts(executor.gpus))
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
