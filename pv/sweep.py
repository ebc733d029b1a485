"""The loop of a sweep: hand out tasks, write down what begins and ends, stop when told to.

Nothing is started before the disk has the line that says so; that line and those of what ended meanwhile
are flushed together.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

from pv.executors.protocol import Executor, Task
from pv.exits import Exit
from pv.journal import Journal
from pv.outcome import EXITS, Discharge

__all__ = ["KILLED", "Watcher", "now", "run_tasks"]

KILLED = "was running when the sweep was killed"
_WAIT_SECONDS = 0.25
"""An interrupt is noticed so soon."""


class Watcher(Protocol):
    """Who is told what goes on."""

    def started(self, address: str) -> None:
        """Hear that `address` begins."""

    def told(self, address: str, what: str, done: int, total: int | None) -> None:
        """Hear how far `address` is."""

    def ended(self, end: Discharge) -> None:
        """Hear how one ended."""

    def tick(self) -> None:
        """Hear that time passes."""


def run_tasks(
    tasks: Sequence[Task],
    executor: Executor,
    journal: Journal,
    watcher: Watcher,
    *,
    failures: int | None = None,
    forgiven: Collection[str] = (),
    interrupted: Callable[[], bool] = lambda: False,
) -> bool:
    """Run `tasks`, in order where nothing else decides; those that are gates when all others have ended.

    A device is given to one task at a time, but for the processor. Where `failures` have failed, nothing
    more is begun; the addresses `forgiven` do not count.

    Returns
    -------
    bool
        Whether it was let go to its end; False where `interrupted` said to stop. What was under way then is
        ended, and written down as stopped.
    """
    loop = _Loop(executor, journal, watcher, failures, forgiven, interrupted)
    return all(
        loop.run(deque(task for task in tasks if bool(task["gate"]) is last)) for last in (False, True)
    )


class _Loop:
    def __init__(
        self,
        executor: Executor,
        journal: Journal,
        watcher: Watcher,
        failures: int | None,
        forgiven: Collection[str],
        interrupted: Callable[[], bool],
    ) -> None:
        self.executor = executor
        self.journal = journal
        self.watcher = watcher
        self.failures = failures
        self.forgiven = forgiven
        self.interrupted = interrupted
        self.under_way: dict[str, Task] = {}
        self.failed = 0

    def run(self, waiting: deque[Task]) -> bool:
        ended: list[dict[str, Any]] = []
        while True:
            stop = self.interrupted()
            begun = [] if stop else self._choose(waiting)
            lines = [{"event": "start", "falsifier": task["address"], "at": now()} for task in begun]
            if ended or lines:
                self.journal.write(*ended, *lines)
            for line in ended:
                self.watcher.ended(Discharge.from_json(line["end"]))
            if stop:
                self.executor.close()
                self.journal.write(
                    *({"event": "stopped", "falsifier": one, "at": now()} for one in self.under_way)
                )
                return False
            for task in begun:
                self.executor.start(task)
                self.watcher.started(task["address"])
            if not self.under_way:
                return True
            ended = self._wait()

    def _choose(self, waiting: deque[Task]) -> list[Task]:
        """Take what can begin now out of `waiting`."""
        begun: list[Task] = []
        if self.failures is not None and self.failed >= self.failures:
            return begun
        passed_over: list[Task] = []
        taken = {task["device"] for task in self.under_way.values()} - {"cpu"}
        while waiting and len(self.under_way) < self.executor.slots:
            task = waiting.popleft()
            if task["device"] in taken:
                passed_over.append(task)
                continue
            if task["device"] != "cpu":
                taken.add(task["device"])
            self.under_way[task["address"]] = task
            begun.append(task)
        waiting.extendleft(reversed(passed_over))
        return begun

    def _wait(self) -> list[dict[str, Any]]:
        """Wait for events; return the lines of those that ended, which are yet to be written."""
        ended: list[dict[str, Any]] = []
        for event in self.executor.wait(_WAIT_SECONDS):
            address = event["task"]
            if event["kind"] == "progress":
                self.watcher.told(address, event["what"], event["done"], event["total"])
                continue
            if event["kind"] == "lost":
                end = Discharge(address, "", "Error", message=event["why"], detail=event["detail"]).to_json()
            else:
                end = event["end"]
            del self.under_way[address]
            exit_ = EXITS[end["outcome"]]
            self.failed += exit_ == Exit.ERROR or (exit_ == Exit.REJECTED and address not in self.forgiven)
            ended.append({"event": "end", "at": now(), "end": end})
        self.watcher.tick()
        return ended


def now() -> str:
    """Return the time, UTC, to the millisecond."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
