"""Sweeps by submitit's local executor: jobs as real processes, which need no Slurm."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pv.errors import ConfigError
from pv.executors.protocol import Event, Setup
from pv.executors.slurm import SlurmExecutor, make_executor
from pv.executors.slurm_files import Attempt, new_attempt
from pv.executors.slurm_job import Job
from pv.executors.slurm_queue import RefusedError, State, UnreachableError
from pv.exits import Exit
from pv.journal import latest_journal
from pv.processes import descendants

if TYPE_CHECKING:
    from tests.pv.conftest import Project

TASK = {"address": "small-v1#FALSIFY-SMALL-001", "path": "contracts/small-v1.yaml", "device": "cpu"}
BY = ("--executor", "slurm", "--set", "kind=local")


def write(project: Project, *changes: dict[str, Any]) -> None:
    from tests.pv.conftest import CLAUSE

    project.contract(
        *(dict(CLAUSE) | {"id": f"FALSIFY-SMALL-{n:03}"} | one for n, one in enumerate(changes, 1))
    )


def waits(folder: Path) -> dict[str, Any]:
    return {
        "check": "small_checks.waiting:waits",
        "with": {"log": str(folder / "log"), "gate": str(folder / "gate"), "value": 1.0},
        "subjects": None,
        "expect": ["min(x) >= 1"],
        "counter_examples": ["less"],
        "needs": {"memory": "64 MiB", "timeout": "600 s"},
    }


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    while not path.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


def test_killed_its_jobs_go_on_and_are_taken_over(project: Project, tmp_path: Path) -> None:
    fails = {"expect": ["max(distance) <= 0.2", "count(distance) == expected"]}
    write(project, waits(tmp_path), fails)
    with project.start("sweep", *BY, "--jobs", "2") as process:
        wait_for(tmp_path / "log", process)
        jobs = descendants(process.pid)
        os.kill(process.pid, signal.SIGKILL)
    journal = latest_journal(project.root / ".pv" / "sweeps")
    assert journal is not None
    assert any(Path(f"/proc/{job}").exists() for job in jobs)
    (tmp_path / "gate").touch()
    ended = project.pv("sweep", "--resume", "--json")
    assert ended.code == Exit.REJECTED
    assert {one["falsifier"][-3:]: one["outcome"] for one in ended.json["results"]} == {
        "001": "Pass",
        "002": "Fail",
    }
    assert (tmp_path / "log").read_text().splitlines().count("1.0") == 1
    assert journal.read_text().count('"event": "start"') == 2
    assert not journal.with_name(f"{journal.name}.scratch").exists()
    assert project.pv("evidence", "verify").code == Exit.ACCEPTED


def test_an_interrupt_ends_its_jobs(project: Project, tmp_path: Path) -> None:
    write(project, waits(tmp_path))
    with project.start("sweep", *BY) as process:
        wait_for(tmp_path / "log", process)
        jobs = descendants(process.pid)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == Exit.INTERRUPTED
    assert len(jobs) >= 4
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{job}").exists() for job in jobs):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_without_submitit_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match="needs submitit") as raised:
        make_executor(Setup(tmp_path, tmp_path, {}))
    assert raised.value.remedy == "pip install 'pv[slurm]'"


def test_gpus_are_what_the_settings_say_as_many_as_there_are_slots(tmp_path: Path) -> None:
    made = make_executor(Setup(tmp_path, tmp_path, {}, 3, {"kind": "local", "gpu": "9.0"}))
    assert [gpu.capability for gpu in made.gpus] == ["9.0"] * 3
    assert (made.slots, made.elsewhere) == (3, True)
    made.close()
    made.close()


class Scripted:
    """A queue whose controller answers as the test says; it takes jobs, and nobody runs them."""

    seconds = 0.05

    def __init__(self) -> None:
        self.answer: Mapping[str, State] | Exception = {}
        self.refuse: Exception | None = None
        self.submitted: list[tuple[str, bool]] = []
        self.cancelled: list[str] = []

    def submit(self, attempt: Attempt, job: Job, name: str, *, gpu: bool) -> str:
        assert job.folder == str(attempt.path)
        if self.refuse is not None:
            raise self.refuse
        self.submitted.append((name, gpu))
        (attempt.path / f"{len(self.submitted)}_submitted.pkl").touch()
        return str(len(self.submitted))

    def states(self, jobs: Mapping[str, str]) -> Mapping[str, State]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return {job: state for job, state in self.answer.items() if job in jobs}

    def cancel(self, jobs: Collection[str]) -> None:
        self.cancelled += jobs

    def cancel_named(self, name: str) -> None:
        self.cancelled.append(name)

    def describe(self, job: str) -> str:
        return f"all of {job}"


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    monkeypatch.setattr("pv.executors.slurm._DOUBT_SECONDS", 0.3)
    monkeypatch.setattr("pv.executors.slurm._LATER_SECONDS", 0.1)
    return Scripted()


@pytest.fixture
def executor(queue: Scripted, tmp_path: Path) -> Iterator[SlurmExecutor]:
    made = SlurmExecutor(queue, 4, (), Setup(tmp_path, tmp_path / "scratch", {}), tmp_path, None)
    yield made
    queue.answer = {}
    made.close()


def event(executor: SlurmExecutor, kind: str, seconds: float = 10.0) -> Event:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for one in executor.wait(0.1):
            if one["kind"] == kind:
                return one
    raise AssertionError(f"no event {kind}")


def quiet(executor: SlurmExecutor, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if any(one["kind"] != "progress" for one in executor.wait(0.05)):
            return False
    return True


@pytest.mark.parametrize(
    ("state", "why", "host"),
    [
        (State("CANCELLED", over=True), "its job is CANCELLED", False),
        (State("NODE_FAIL", "n1", over=True, host=True), "its job is NODE_FAIL (n1)", True),
        (State("PENDING", "BadConstraints", hopeless=True), "its job is PENDING (BadConstraints)", False),
        (None, "its job ended, and left no word of how", False),
    ],
)
def test_a_job_that_is_over_without_an_end_is_lost(
    executor: SlurmExecutor, queue: Scripted, state: State | None, why: str, *, host: bool
) -> None:
    queue.answer = {"1": State("PENDING", "Resources")}
    executor.start(TASK)
    assert event(executor, "progress")["what"] == "pending: Resources"
    queue.answer = {} if state is None else {"1": state}
    lost = event(executor, "lost")
    assert (lost["task"], lost["why"], lost["host"]) == (TASK["address"], why, host)
    assert "all of 1" in lost["detail"]
    assert quiet(executor, 0.3)


def test_a_job_that_runs_by_word_alone_is_given_up(queue: Scripted, tmp_path: Path) -> None:
    setup = Setup(tmp_path, tmp_path / "scratch", {}, settings={"patience": 1})
    executor = SlurmExecutor(queue, 4, (), setup, tmp_path, None)
    try:
        queue.answer = {"1": State("RUNNING")}
        executor.start(TASK)
        assert event(executor, "progress")["what"] == "running"
        (path,) = (tmp_path / "scratch" / "slurm").glob("*/*")
        for _ in range(8):
            Attempt(path).live()
            assert quiet(executor, 0.25)
        queue.answer = {"1": State("PENDING", "Resources")}
        assert quiet(executor, 1.5)
        queue.answer = {"1": State("RUNNING")}
        assert quiet(executor, 0.5)
        lost = event(executor, "lost", 5)
        assert lost["why"] == "its job is RUNNING, and has given no sign of life for 1 s"
        assert not lost["host"]
        assert Attempt(path).cancelled
        assert quiet(executor, 0.3)
        assert queue.cancelled == ["1"]
    finally:
        queue.answer = {}
        executor.close()


def test_silence_is_no_death_and_doubt_begins_anew_after_it(executor: SlurmExecutor, queue: Scripted) -> None:
    queue.answer = {"1": State("RUNNING")}
    executor.start(TASK)
    assert event(executor, "progress")["what"] == "running"
    queue.answer = UnreachableError("no answer")
    assert quiet(executor, 0.8)
    queue.answer = {"1": State("COMPLETING")}
    assert quiet(executor, 0.8)


def test_an_end_that_comes_late_is_taken_all_the_same(
    executor: SlurmExecutor, queue: Scripted, tmp_path: Path
) -> None:
    executor.start(TASK)
    queue.answer = {"1": State("COMPLETED", over=True)}
    assert quiet(executor, 0.25)
    (path,) = (tmp_path / "scratch" / "slurm").glob("*/*")
    Attempt(path).write_end({"task": TASK["address"], "kind": "ended", "end": {}, "records": {}})
    assert event(executor, "ended")["task"] == TASK["address"]


def test_a_controller_that_does_not_answer_gets_the_job_later(
    executor: SlurmExecutor, queue: Scripted
) -> None:
    queue.refuse = UnreachableError("no answer")
    executor.start(TASK | {"device": "cuda"})
    assert event(executor, "progress")["what"] == "waiting for Slurm to answer"
    queue.answer = {"1": State("RUNNING")}
    queue.refuse = None
    assert event(executor, "progress")
    assert [gpu for _, gpu in queue.submitted] == [True]


def test_the_first_refusal_is_an_error_of_the_settings_and_a_later_one_of_the_job(
    executor: SlurmExecutor, queue: Scripted
) -> None:
    queue.refuse = RefusedError("no such partition")
    executor.start(TASK)
    with pytest.raises(ConfigError, match="no such partition"):
        event(executor, "lost")
    queue.refuse = None
    executor.start(TASK | {"address": "small-v1#B"})
    queue.answer = {"1": State("RUNNING")}
    event(executor, "progress")
    queue.refuse = RefusedError("too many jobs")
    executor.start(TASK | {"address": "small-v1#C"})
    lost = event(executor, "lost")
    assert (lost["task"], lost["detail"]) == ("small-v1#C", "too many jobs")


def test_what_was_not_submitted_whole_when_the_engine_died_is_not_taken_over(
    executor: SlurmExecutor, queue: Scripted, tmp_path: Path
) -> None:
    assert not executor.adopt(TASK)
    attempt = new_attempt(tmp_path / "scratch" / "slurm", TASK)
    assert not executor.adopt(TASK)
    assert attempt.cancelled  # should its job be queued all the same, it finds that
    (attempt.path / "7_submitted.pkl").touch()
    assert not executor.adopt(TASK | {"attempt": 1})
    assert executor.adopt(TASK)
    queue.answer = {"7": State("RUNNING")}
    assert event(executor, "progress")
    assert [name for name in queue.cancelled if attempt.name in name]
    queue.answer = {}
    executor.close()
    assert "7" in queue.cancelled
