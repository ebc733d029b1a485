"""A queue that is none: submitit's local executor, which begins every job at once, on this host.

For trying out what a sweep by Slurm does, and for tests. The jobs survive the engine, as Slurm's do.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pv.executors.slurm_files import Attempt
from pv.executors.slurm_job import Job
from pv.executors.slurm_queue import State, engine_path

__all__ = ["LocalQueue"]

_CONTROLLER = b"submitit.local._local"


class LocalQueue:
    """A :class:`pv.executors.slurm_queue.Queue` of processes; a job's number is that of its process."""

    seconds = 0.2

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._python = settings.get("python", sys.executable)
        self._own: dict[str, Any] = {}

    def submit(self, attempt: Attempt, job: Job, name: str, *, gpu: bool) -> str:  # noqa: ARG002  it takes no names
        """Begin `job`."""
        from submitit import LocalExecutor

        command = ["env", f"PYTHONPATH={engine_path()}", self._python, "-P"]
        executor = LocalExecutor(attempt.path, max_num_timeout=0, python=shlex.join(command))
        executor.update_parameters(timeout_min=job.minutes)
        begun = executor.submit(job)
        self._own[begun.job_id] = begun
        return str(begun.job_id)

    def states(self, jobs: Mapping[str, str]) -> Mapping[str, State]:
        """Tell which processes are there."""
        return {job: State("RUNNING") for job in jobs if self._runs(job)}

    def cancel(self, jobs: Collection[str]) -> None:
        """Have submitit's process tell its job, which looks whether it was cancelled."""
        for job in jobs:
            if self._runs(job):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(job), signal.SIGTERM)

    def cancel_named(self, name: str) -> None:
        """Do nothing: a job that was not submitted whole finds nothing to do."""

    def describe(self, job: str) -> str:  # noqa: ARG002  a process that is gone left no word
        """Return nothing."""
        return ""

    def _runs(self, job: str) -> bool:
        if job in self._own:
            return not self._own[job].done()
        try:
            return _CONTROLLER in Path(f"/proc/{job}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
