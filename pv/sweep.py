"""The loop of a sweep: hand out tasks, write down what begins and ends, stop when told to.

Nothing is started before the disk has the line that says so; that line and those of what ended meanwhile
are flushed together.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

from pv.errors import PvError
from pv.executors.protocol import Event, Executor, Task
from pv.exits import Exit
from pv.journal import Journal
from pv.outcome import EXITS, Discharge

__all__ = ["KILLED", "Watcher", "now", "run_tasks"]

KILLED = "was running when the sweep was killed"
_WAIT_SECONDS = 0.25
"""An interrupt is noticed so soon."""

Receive = Callable[[Mapping[str, Any]], object]


class Watcher(Protocol):
    """Who is told what goes on."""

    def started(self, address: str) -> None:
        """Hear that `address` begins."""

    def told(self, address: str, what: str, done: int, total: int | None) -> None:
        """Hear how far `address` is."""

    def ended(self, end: Discharge) -> None:
        """Hear how one ended."""

    def retried(self, end: Discharge) -> None:
        """Hear of an attempt that ended without a verdict; it is going to be run again."""

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
    adopted: Sequence[Task] = (),
    attempts: Mapping[str, tuple[str, ...]] | None = None,
    receive: Receive = lambda _records: None,
    gate_executor: Executor | None = None,
) -> bool:
    """Run `tasks`, in order where nothing else decides; those that are gates when all others have ended.

    No more tasks run on GPUs than there are. Where `failures` have failed, nothing more is begun; the
    addresses `forgiven` do not count. `adopted` are under way already. What ends in Error is run again as
    often as its falsifier allows, and once more where its host died; `attempts` are those of before.
    `receive` takes the records of another host, before the end that they belong to is written down. Gates
    run on `gate_executor`, if one is given: they read what was received.

    Returns
    -------
    bool
        Whether it was let go to its end; False where `interrupted` said to stop. What was under way then is
        ended, and written down as stopped.
    """
    loop = _Loop(executor, journal, watcher, failures, forgiven, interrupted, receive)
    loop.attempts = dict(attempts or {})
    loop.under_way = {task["address"]: task for task in adopted}
    if not loop.run(deque(task for task in tasks if not task["gate"])):
        return False
    loop.executor = gate_executor or executor
    return loop.run(deque(task for task in tasks if task["gate"]))


class _Loop:
    def __init__(
        self,
        executor: Executor,
        journal: Journal,
        watcher: Watcher,
        failures: int | None,
        forgiven: Collection[str],
        interrupted: Callable[[], bool],
        receive: Receive,
    ) -> None:
        self.executor = executor
        self.journal = journal
        self.watcher = watcher
        self.failures = failures
        self.forgiven = forgiven
        self.interrupted = interrupted
        self.receive = receive
        self.under_way: dict[str, Task] = {}
        self.attempts: dict[str, tuple[str, ...]] = {}
        self.failed = 0

    def run(self, waiting: deque[Task]) -> bool:
        ended: list[dict[str, Any]] = []
        for address in self.under_way:
            self.watcher.started(address)
        while True:
            stop = self.interrupted()
            begun = [] if stop else self._choose(waiting)
            lines = [{"event": "start", "falsifier": task["address"], "at": now()} for task in begun]
            if ended or lines:
                self.journal.write(*ended, *lines)
            for line in ended:
                if line["event"] == "end":
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
            ended = self._wait(waiting)

    def _choose(self, waiting: deque[Task]) -> list[Task]:
        """Take what can begin now out of `waiting`."""
        begun: list[Task] = []
        if self.failures is not None and self.failed >= self.failures:
            return begun
        passed_over: list[Task] = []
        taken = [task["device"] for task in self.under_way.values() if task["device"] != "cpu"]
        # One at least: a falsifier that is declined for want of a GPU declines by being run.
        gpus = max(1, len(self.executor.gpus))
        while waiting and len(self.under_way) < self.executor.slots:
            task = waiting.popleft()
            device = task["device"]
            # One that was named is waited for; of any, there must be one that nobody has.
            if device != "cpu" and (len(taken) >= gpus or (":" in device and device in taken)):
                passed_over.append(task)
                continue
            if device != "cpu":
                taken.append(device)
            self.under_way[task["address"]] = task
            begun.append(task)
        waiting.extendleft(reversed(passed_over))
        return begun

    def _wait(self, waiting: deque[Task]) -> list[dict[str, Any]]:
        """Wait for events; return the lines of those that ended, which are yet to be written.

        What is to be run again goes to the end of `waiting`.
        """
        ended: list[dict[str, Any]] = []
        for event in self.executor.wait(_WAIT_SECONDS):
            address = event["task"]
            if event["kind"] == "progress":
                self.watcher.told(address, event["what"], event["done"], event["total"])
                continue
            task = self.under_way.pop(address)
            end = self._end_of(event)
            exit_ = EXITS[end["outcome"]]
            if exit_ == Exit.ERROR and self._may_retry(task, host=bool(event.get("host"))):
                self.attempts[address] = (*self.attempts.get(address, ()), end["message"])
                ended.append({"event": "retry", "falsifier": address, "at": now(), "why": end["message"]})
                self.watcher.retried(Discharge.from_json(end))
                waiting.append({**task, "attempt": len(self.attempts[address])})
                continue
            self.failed += exit_ == Exit.ERROR or (exit_ == Exit.REJECTED and address not in self.forgiven)
            ended.append({"event": "end", "at": now(), "end": end})
        self.watcher.tick()
        return ended

    def _end_of(self, event: Event) -> dict[str, Any]:
        address = event["task"]
        attempts = list(self.attempts.get(address, ()))
        if event["kind"] == "lost":
            lost = Discharge(address, "", "Error", message=event["why"], detail=event["detail"])
            return {**lost.to_json(), "attempts": attempts}
        if event.get("records"):
            try:
                self.receive(event["records"])
            except PvError as error:
                # Its host says that it ended so, and has no evidence for it that would verify here.
                why = f"its record was not taken: {error.what}"
                refused = Discharge(address, event["end"]["rule"], "Error", message=why, detail=error.remedy)
                return {**refused.to_json(), "attempts": attempts}
        return {**event["end"], "attempts": attempts}

    def _may_retry(self, task: Task, *, host: bool) -> bool:
        """Tell whether a task that ended in Error is to be run again.

        The contract says how often. Where the host died under it, once more: it is hardly the check's fault,
        but a check that takes its host down must not take one after the other.
        """
        allowed: int = task.get("retries", 0) + host
        return len(self.attempts.get(task["address"], ())) < allowed


def now() -> str:
    """Return the time, UTC, to the millisecond."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
