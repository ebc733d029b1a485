"""Run tasks on this machine, in processes that stay: each keeps its zygote, and the contracts it has read."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from pv.executors.protocol import Event, Setup, Task
from pv.host import Gpu, gpus

__all__ = ["SETTINGS", "LocalExecutor", "environment", "make_executor", "threads"]

_DETAIL_BYTES = 1 << 13
_END_SECONDS = 5.0


@dataclasses.dataclass
class _Process:
    """A worker, what it has said so far of an event, and the task that it is at."""

    process: subprocess.Popen[bytes]
    said: IO[bytes]
    """What it printed, which is nothing unless it breaks."""
    task: str | None = None
    line: bytearray = dataclasses.field(default_factory=bytearray)

    @property
    def output(self) -> int:
        assert self.process.stdout is not None  # noqa: S101 -- it was opened with a pipe
        return self.process.stdout.fileno()

    def send(self, message: Mapping[str, Any]) -> None:
        assert self.process.stdin is not None  # noqa: S101 -- it was opened with a pipe
        # One that has died is noticed where its events are read.
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()


SETTINGS: Mapping[str, Callable[[str], Any]] = {}
"""It has none."""


def make_executor(setup: Setup) -> LocalExecutor:
    """Return an executor of this machine; one process unless more are asked for."""
    return LocalExecutor(setup.jobs or 1, setup.root, setup.scratch, setup.options)


class LocalExecutor:
    """An :class:`~pv.executors.protocol.Executor` of `slots` processes; each starts when it is first needed.

    Parameters
    ----------
    root
        The project.
    scratch
        The folder in which checks get theirs.
    options
        The fields of :class:`pv.outcome.Options`.
    subjects
        The paths that take the place of subjects.
    carry
        Whether the records of each end go along with it: those of another host.
    """

    def __init__(
        self,
        slots: int,
        root: Path,
        scratch: Path,
        options: Mapping[str, Any],
        subjects: Mapping[str, str] | None = None,
        *,
        carry: bool = False,
    ) -> None:
        self._slots = slots
        self._given = {
            "root": str(root),
            "scratch": str(scratch),
            "options": dict(options),
            "subjects": dict(subjects or {}),
            "carry": carry,
        }
        self._workers: list[_Process] = []
        self._selector = selectors.DefaultSelector()

    @property
    def slots(self) -> int:
        """How many tasks may run at once."""
        return self._slots

    @property
    def gpus(self) -> Sequence[Gpu]:
        """The GPUs of this machine that are ours."""
        return gpus()

    @property
    def elsewhere(self) -> bool:
        """Whether tasks run on other hosts: they do not."""
        return False

    def adopt(self, task: Task) -> bool:  # noqa: ARG002  its processes died with the engine
        """Take over a task of a dead engine: there is none."""
        return False

    def start(self, task: Task) -> None:
        """Begin `task` in a process that is idle, or in a new one."""
        idle = next((worker for worker in self._workers if worker.task is None), None) or self._new()
        idle.task = str(task["address"])
        idle.send(task)

    def wait(self, seconds: float) -> Sequence[Event]:
        """Return what happened, once something did or `seconds` have passed."""
        events: list[Event] = []
        for key, _ in self._selector.select(seconds):
            events += self._read(key.data)
        return events

    def close(self) -> None:
        """End every worker, and what it runs: at once those that are at a task."""
        for worker in self._workers:
            if worker.task is not None:
                self._kill(worker)
            elif worker.process.stdin is not None:
                with contextlib.suppress(BrokenPipeError):
                    worker.process.stdin.close()
        for worker in [*self._workers]:
            try:
                worker.process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                self._kill(worker)
                worker.process.wait()
            self._forget(worker)
        self._selector.close()

    def _new(self) -> _Process:
        said = tempfile.TemporaryFile()  # noqa: SIM115  closed with the worker
        process = subprocess.Popen(
            # -P: what lies in the folder that the command is run in must not stand for a library.
            [sys.executable, "-P", "-m", "pv.executors.worker", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            env={**threads(self._slots), **environment()},
            start_new_session=True,  # an interrupt is the engine's to handle
        )
        worker = _Process(process, said)
        self._workers.append(worker)
        self._selector.register(worker.output, selectors.EVENT_READ, worker)
        worker.send(self._given)
        return worker

    def _read(self, worker: _Process) -> list[Event]:
        data = os.read(worker.output, 1 << 20)
        if not data:
            return self._lost(worker)
        worker.line += data
        if b"\n" not in data:
            return []
        *lines, rest = worker.line.split(b"\n")
        worker.line = bytearray(rest)
        events: list[Event] = [json.loads(line) for line in lines]
        if any(event["kind"] == "ended" for event in events):
            worker.task = None
        return events

    def _lost(self, worker: _Process) -> list[Event]:
        code = worker.process.wait()
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        worker.said.seek(max(0, worker.said.seek(0, os.SEEK_END) - _DETAIL_BYTES))
        detail = worker.said.read().decode("utf-8", "replace")
        self._forget(worker)
        if worker.task is None:
            return []
        why = f"the process that was to discharge it ended {how}"
        return [{"task": worker.task, "kind": "lost", "why": why, "detail": detail}]

    def _forget(self, worker: _Process) -> None:
        self._workers.remove(worker)
        self._selector.unregister(worker.output)
        for file in (worker.process.stdin, worker.process.stdout, worker.said):
            if file is not None:
                with contextlib.suppress(BrokenPipeError):
                    file.close()

    @staticmethod
    def _kill(worker: _Process) -> None:
        # Its zygote, and what that forked, die with it.
        with contextlib.suppress(ProcessLookupError):
            worker.process.kill()


def threads(slots: int) -> dict[str, str]:
    """Return the variable by which `slots` processes share the processors that are ours, each with its part.

    Every numeric library would else start a thread for each processor in each process, and threads of OpenMP
    that outnumber the processors wait for each other by spinning: two jobs on two processors took three times
    as long. One process is left alone. Who sets ``OMP_NUM_THREADS`` is obeyed: :func:`environment` holds it.
    """
    return {} if slots == 1 else {"OMP_NUM_THREADS": str(max(1, len(os.sched_getaffinity(0)) // slots))}


def environment() -> dict[str, str]:
    """Return our own variables, with the engine where Python finds it: -P takes the working folder away."""
    here = str(Path(__file__).resolve().parents[2])
    others = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{here}{os.pathsep}{others}" if others else here}
