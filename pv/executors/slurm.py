"""Run tasks as jobs of Slurm, one each, through submitit.

Between engine and job there are files (:mod:`pv.executors.slurm_files`), on a file system that both see. Of
the controller only two things are asked: to take jobs, and whether they are still there. It is asked by one
thread, one question at a time, and where it does not answer it is asked again: silence is no death of a job.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import hashlib
import importlib.util
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pv.errors import ConfigError
from pv.executors.protocol import Event, Setup, Task
from pv.executors.slurm_files import Attempt, latest_attempt, new_attempt
from pv.executors.slurm_settings import SETTINGS
from pv.host import Gpu, gpus

if TYPE_CHECKING:
    from pv.executors.slurm_queue import Queue, State

__all__ = ["SETTINGS", "SlurmExecutor", "make_executor"]

_SLOTS = 16
_MINUTES = 60
_LOOK_SECONDS = 0.2
_LATER_SECONDS = 5.0
_DOUBT_SECONDS = 5.0
"""So long a job must have been over, without an end, to be given up: what it wrote last may come late."""
_CLOSE_SECONDS = 20.0
_PATIENCE_SECONDS = 180
"""So long a job may give no sign of life while Slurm says that it runs: a file system may be slow."""


def make_executor(setup: Setup) -> SlurmExecutor:
    """Return an executor of Slurm, or with ``kind = "local"`` of submitit alone.

    Raises
    ------
    ConfigError
        submitit or Slurm is not installed.
    """
    if importlib.util.find_spec("submitit") is None:
        raise ConfigError(
            "--executor slurm needs submitit, which is not installed", remedy="pip install 'pv[slurm]'"
        )
    settings = setup.settings
    root = Path(settings.get("root", setup.root))
    if settings.get("kind", "slurm") == "local":
        from pv.executors.slurm_local import LocalQueue

        slots = setup.jobs or 1
        queue: Queue = LocalQueue(settings)
        found = gpus()
        # submitit hides GPUs that it was not asked for; the leases of this host are for that.
        devices = ",".join(gpu.uuid for gpu in found)
    else:
        from pv.executors.slurm_queue import SlurmQueue

        slots = setup.jobs or _SLOTS
        queue = SlurmQueue(settings, root)
        devices = None
        found = ()
    if "gpu" in settings:
        found = tuple(Gpu("Slurm's", settings["gpu"], "", 0, f"slurm-{number}") for number in range(slots))
    return SlurmExecutor(queue, slots, found, setup, root, devices)


@dataclasses.dataclass
class _Job:
    """An attempt that is under way, and what was heard of it."""

    task: Task
    attempt: Attempt
    number: str | None = None
    """Slurm's; None while it is yet to be submitted."""
    submission: concurrent.futures.Future[str] | None = None
    not_before: float = 0.0
    read: int = 0
    shown: str = ""
    doubted: float | None = None
    """Since when it is over, as Slurm says."""
    sign: bytes = b""
    heard: float | None = None
    """When its last sign of life was new; None while it is not said to run."""

    @property
    def address(self) -> str:
        return str(self.task["address"])


class SlurmExecutor:
    """An :class:`~pv.executors.protocol.Executor` of `slots` jobs that are queued or run.

    Parameters
    ----------
    queue
        Who takes the jobs.
    visible
        The GPUs that jobs may get.
    root
        The project on the nodes.
    devices
        What jobs with a GPU are to have as CUDA_VISIBLE_DEVICES; None where Slurm says so.
    """

    def __init__(
        self, queue: Queue, slots: int, visible: Sequence[Gpu], setup: Setup, root: Path, devices: str | None
    ) -> None:
        self._queue = queue
        self._slots = slots
        self._gpus = tuple(visible)
        self._setup = setup
        self._root = root
        self._devices = devices
        self._folder = setup.scratch.absolute() / "slurm"
        self._token = hashlib.sha256(os.fsencode(self._folder)).hexdigest()[:8]
        self._jobs: dict[str, _Job] = {}
        self._background = concurrent.futures.ThreadPoolExecutor(1, "slurm")
        self._asked: concurrent.futures.Future[Mapping[str, State]] | None = None
        self._ask_at = 0.0
        self._ask_began = 0.0
        self._accepted = False
        self._closed = False
        self._patience: int = setup.settings.get("patience", _PATIENCE_SECONDS)

    @property
    def slots(self) -> int:
        """How many jobs may be queued or run at once."""
        return self._slots

    @property
    def gpus(self) -> Sequence[Gpu]:
        """The GPUs that Slurm is said to have, as many as there are slots: it is for Slurm to give them."""
        return self._gpus

    @property
    def elsewhere(self) -> bool:
        """Whether tasks run on other hosts: they do."""
        return True

    def adopt(self, task: Task) -> bool:
        """Take over the job of a dead engine, also one that has ended; False where none can have begun."""
        attempt = latest_attempt(self._folder, task)
        if attempt is None:
            return False
        number = attempt.job
        if number is None:
            # The engine died before submitit had the job whole: if it is queued, it finds nothing to do.
            attempt.cancel()
            self._background.submit(self._queue.cancel_named, self._name(attempt))
            return False
        self._accepted = True
        self._jobs[str(task["address"])] = _Job(task, attempt, number)
        return True

    def start(self, task: Task) -> None:
        """Submit a job; the controller is asked in the background."""
        job = _Job(task, new_attempt(self._folder, task))
        self._jobs[job.address] = job
        self._submit(job)

    def wait(self, seconds: float) -> Sequence[Event]:
        """Return what happened, once something did or `seconds` have passed.

        Raises
        ------
        ConfigError
            Slurm refused the first job: it would refuse them all.
        """
        until = time.monotonic() + seconds
        while True:
            events = [event for job in [*self._jobs.values()] for event in self._follow(job)]
            events += self._ask()
            left = until - time.monotonic()
            if events or left <= 0:
                return events
            time.sleep(min(_LOOK_SECONDS, left))

    def close(self) -> None:
        """Cancel what is under way; wait a while until it is gone."""
        if self._closed:
            return
        self._closed = True
        for job in self._jobs.values():
            job.attempt.cancel()
        self._background.shutdown(wait=True, cancel_futures=True)
        for job in self._jobs.values():
            if job.number is None and job.submission and job.submission.done():
                with contextlib.suppress(Exception, concurrent.futures.CancelledError):
                    job.number = job.submission.result()
        numbers = self._numbers()
        self._jobs.clear()
        if numbers and not self._cancel(numbers):
            listed = ", ".join(sorted(numbers))
            print(f"Slurm did not answer: its jobs {listed} stop when they see that", file=sys.stderr)

    def _numbers(self) -> dict[str, str]:
        """Return number → name of the jobs that were submitted."""
        jobs = [job for job in self._jobs.values() if job.number is not None]
        return {str(job.number): self._name(job.attempt) for job in jobs}

    def _cancel(self, numbers: Mapping[str, str]) -> bool:
        from pv.executors.slurm_queue import UnreachableError

        until = time.monotonic() + _CLOSE_SECONDS
        told = False
        while time.monotonic() < until:
            with contextlib.suppress(UnreachableError):
                if not told:
                    self._queue.cancel(numbers)
                    told = True
                if all(state.over for state in self._queue.states(numbers).values()):
                    return True
            time.sleep(_LOOK_SECONDS)
        return told

    def _name(self, attempt: Attempt) -> str:
        return f"pv-{self._token}-{attempt.name}"

    def _submit(self, job: _Job) -> None:
        from pv.executors.slurm_job import Job

        gpu = job.task["device"] != "cpu"
        minutes = self._setup.settings.get("time", _MINUTES)
        folder = str(job.attempt.path)
        call = Job(folder, str(self._root), dict(job.task), dict(self._setup.options), minutes, self._devices)
        job.submission = self._background.submit(
            self._queue.submit, job.attempt, call, self._name(job.attempt), gpu=gpu
        )

    def _follow(self, job: _Job) -> list[Event]:
        """Return what became of one job, as far as its files and its submission tell."""
        if job.submission is not None and job.submission.done():
            submission, job.submission = job.submission, None
            return self._submitted(job, submission)
        if job.number is None:
            if job.submission is None and time.monotonic() >= job.not_before:
                self._submit(job)
            return []
        end = job.attempt.end()
        if end is not None:
            del self._jobs[job.address]
            return [end]
        events, job.read = job.attempt.told(job.read)
        return events[-1:]

    def _submitted(self, job: _Job, submission: concurrent.futures.Future[str]) -> list[Event]:
        from pv.executors.slurm_queue import RefusedError, UnreachableError

        try:
            job.number = submission.result()
        except UnreachableError:
            job.not_before = time.monotonic() + _LATER_SECONDS
            return [_progress(job, "waiting for Slurm to answer")]
        except RefusedError as error:
            if not self._accepted:
                raise ConfigError(
                    f"Slurm refuses the job: {error}",
                    remedy="correct [executors.slurm] of pv.toml, or what --set says",
                ) from error
            return [self._lost(job, "Slurm refused the job", str(error), host=False)]
        self._accepted = True
        return []

    def _ask(self) -> list[Event]:
        """Ask for the states of all jobs, if it is time to; return what follows from the last answer."""
        from pv.executors.slurm_queue import UnreachableError

        now = time.monotonic()
        if self._asked is None:
            numbers = self._numbers()
            if numbers and now >= self._ask_at:
                self._ask_began = now
                self._asked = self._background.submit(self._queue.states, numbers)
            return []
        if not self._asked.done():
            return []
        asked, self._asked = self._asked, None
        # A controller that is slow has enough to do.
        self._ask_at = now + max(self._queue.seconds, 5 * (now - self._ask_began))
        try:
            states = asked.result()
        except UnreachableError:
            for job in self._jobs.values():
                job.doubted = None  # what is doubted must be said twice, without silence between
            return []
        return [event for job in [*self._jobs.values()] for event in self._judge(job, states)]

    def _judge(self, job: _Job, states: Mapping[str, State]) -> list[Event]:
        """Return what follows from what Slurm says of one job."""
        if job.number is None:
            return []
        state = states.get(job.number)
        if state is None or state.name != "RUNNING":
            job.heard = None  # what waits to run again has nothing to say
        elif self._silent(job):
            # Slurm may believe in a job whose processes are gone.
            job.attempt.cancel()
            self._background.submit(self._queue.cancel, [job.number])
            detail = "\n".join(filter(None, [self._queue.describe(job.number), job.attempt.said()]))
            why = f"its job is RUNNING, and has given no sign of life for {self._patience} s"
            return [self._lost(job, why, detail, host=False)]
        if state is not None and not state.over and not state.hopeless:
            job.doubted = None
            shown = f"{state.name.lower()}: {state.reason}" if state.reason else state.name.lower()
            if shown == job.shown:
                return []
            job.shown = shown
            return [_progress(job, shown)]
        now = time.monotonic()
        if job.doubted is None:
            job.doubted = now
        if now - job.doubted < _DOUBT_SECONDS:
            return []
        job.attempt.look_again()
        if job.attempt.end() is not None:
            return []  # it is read as all others are
        detail = "\n".join(filter(None, [self._queue.describe(job.number), job.attempt.said()]))
        if state is None:
            return [self._lost(job, "its job ended, and left no word of how", detail, host=False)]
        if state.hopeless:
            job.attempt.cancel()
            self._background.submit(self._queue.cancel, [job.number])
        why = f"its job is {state.name}" + (f" ({state.reason})" if state.reason else "")
        return [self._lost(job, why, detail, host=state.host)]

    def _silent(self, job: _Job) -> bool:
        """Tell whether a job that is said to run has been silent for too long."""
        now = time.monotonic()
        sign = job.attempt.sign()
        if job.heard is None or sign != job.sign:
            job.sign, job.heard = sign, now
            return False
        if now - job.heard < self._patience:
            return False
        job.attempt.look_again()
        return job.attempt.sign() == job.sign and job.attempt.end() is None

    def _lost(self, job: _Job, why: str, detail: str, *, host: bool) -> Event:
        self._jobs.pop(job.address, None)
        return {"task": job.address, "kind": "lost", "why": why, "detail": detail, "host": host}


def _progress(job: _Job, what: str) -> Event:
    return {"task": job.address, "kind": "progress", "what": what, "done": 0, "total": None}
