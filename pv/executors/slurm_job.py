"""The side of the job: what submitit calls on a node. It discharges one falsifier and leaves the events.

submitit pickles a :class:`Job`, which is a few plain fields, and the None that it returns. The check runs in
a process of its own, as on the engine's host: what takes it down leaves somebody to tell of it.

Slurm signals every process of a job at once. What a check ends with after the job was told to stop says
nothing of the claim: the job waits for its end and writes none, and where it is begun again, so is the task.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import socket
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pv import __version__
from pv.config import load_config
from pv.errors import PvError
from pv.evidence import remove_partial
from pv.evidence_transfer import bundle_of
from pv.executors.local import LocalExecutor
from pv.executors.protocol import Event
from pv.executors.slurm_files import Attempt
from pv.outcome import Discharge

__all__ = ["Job"]

_WAIT_SECONDS = 0.2
_PROGRESS_SECONDS = 1.0
_LIVE_SECONDS = 5.0
_SETTLE_SECONDS = 1.0
"""So long a signal to all processes may reach this one later than the check."""
_STOP_SECONDS = 600.0
"""So long a job that was told to stop waits for its end."""


@dataclasses.dataclass(frozen=True)
class Job:
    """One task, on a node.

    `folder` is that of the attempt and `root` the project, as the node sees them; `minutes` is what the job
    was given. `devices` is what CUDA_VISIBLE_DEVICES is to be: None where the scheduler has set it.
    """

    folder: str
    root: str
    task: Mapping[str, Any]
    options: Mapping[str, Any]
    minutes: int
    devices: str | None = None
    version: str = __version__

    def __call__(self) -> None:
        """Discharge the falsifier, unless its end is there, or nobody wants it any more."""
        attempt = Attempt(Path(self.folder))
        if attempt.end() is not None or attempt.cancelled:
            return
        before = attempt.notes()
        attempt.note("begun", node=socket.gethostname())
        if before and before[-1]["what"] == "begun":
            # Nobody told it to stop, and Slurm begins it again: it was not preempted.
            why = f"its node died under it: {before[-1]['node']}"
            attempt.write_end(self.lost(why, host=True))
        elif self.version != __version__:
            why = f"the node has pv {__version__}, and the sweep is of {self.version}"
            attempt.write_end(self.lost(why))
        else:
            _Run(self, attempt).go()

    def checkpoint(self) -> Any:
        """Have submitit put the same job into the queue again, where it was told to make room."""
        from submitit.helpers import DelayedSubmission

        Attempt(Path(self.folder)).note("told", signal="checkpoint")
        return DelayedSubmission(self)

    def lost(self, why: str, detail: str = "", *, host: bool = False) -> Event:
        """Return the event of a task of which nothing is known."""
        return {"task": self.task["address"], "kind": "lost", "why": why, "detail": detail, "host": host}


class _Run:
    def __init__(self, job: Job, attempt: Attempt) -> None:
        self.job = job
        self.attempt = attempt
        self.told = ""
        self.last = 0.0
        self.lived = 0.0

    def go(self) -> None:
        from submitit.core.utils import UncompletedJobError

        before = signal.signal(signal.SIGTERM, self._hear)
        self._look()
        try:
            end = self._discharge()
        except UncompletedJobError:
            why = f"it took longer than the {self.job.minutes} minutes of its job"
            self.attempt.write_end(self.job.lost(why, "raise `time` in [executors.slurm]"))
            raise
        finally:
            signal.signal(signal.SIGTERM, before)
        self.attempt.write_end(end)

    def _discharge(self) -> Event:
        root = Path(self.job.root)
        address = self.job.task["address"]
        if self.job.task["device"] == "cpu":
            os.environ["CUDA_VISIBLE_DEVICES"] = ""
        elif self.job.devices is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = self.job.devices
        try:
            os.chdir(root)
            config = load_config(root)
            stem, _, identifier = address.rpartition("#")
            remove_partial(config.evidence, stem, identifier)  # by the job that this one continues
        except (OSError, PvError) as error:
            why = f"the project cannot be read on the node: {error}"
            return self.job.lost(why, "`root` of [executors.slurm] says where it lies there")
        with (
            tempfile.TemporaryDirectory(prefix="pv-", ignore_cleanup_errors=True) as scratch,
            contextlib.closing(LocalExecutor(1, root, Path(scratch), self.job.options)) as executor,
        ):
            executor.start(self.job.task)
            event = self._wait(executor)
        if event["kind"] == "ended":
            end = Discharge.from_json(event["end"])
            return {**event, "records": bundle_of(root / record for record in end.records)}
        return event

    def _wait(self, executor: LocalExecutor) -> Event:
        while True:
            for event in executor.wait(_WAIT_SECONDS):
                if event["kind"] == "progress":
                    self._tell(event)
                    continue
                if event["kind"] == "ended" and event["end"]["outcome"] == "Pass":
                    return event
                self._pause(_SETTLE_SECONDS)
                if not self.told:
                    return event
                self._pause(_STOP_SECONDS)
                return self.job.lost(f"it was told to stop, by {self.told}", host=True)
            self._look()

    def _tell(self, event: Event) -> None:
        self._look()
        now = time.monotonic()
        if now - self.last >= _PROGRESS_SECONDS:
            self.last = now
            self.attempt.tell(event)

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(_WAIT_SECONDS)
            self._look()

    def _look(self) -> None:
        now = time.monotonic()
        if now - self.lived >= _LIVE_SECONDS or not self.lived:
            self.lived = now
            self.attempt.live()
        if self.attempt.cancelled:
            raise SystemExit(128 + signal.SIGTERM)

    def _hear(self, number: int, _frame: object) -> None:
        self.told = signal.Signals(number).name
        self.attempt.note("told", signal=self.told)
        self._look()
