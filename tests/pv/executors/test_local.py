from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pv.executors.local import LocalExecutor, threads
from pv.outcome import Discharge
from pv.processes import descendants

if TYPE_CHECKING:
    from tests.pv.conftest import Project

TASK = {"address": "small-v1#FALSIFY-SMALL-001", "path": "contracts/small-v1.yaml", "device": "cpu"}
HANGS = {
    "check": "small_checks.broken:breaks",
    "with": {"how": "hangs"},
    "subjects": None,
    "expect": ["min(x) >= 1"],
    "counter_examples": ["never"],
}


@pytest.fixture
def executor(project: Project) -> Iterator[LocalExecutor]:
    options: dict[str, object] = {
        "level": "auto",
        "device": "auto",
        "seed": None,
        "record": True,
        "force": False,
        "argv": [],
    }
    made = LocalExecutor(2, project.root, project.root / ".pv" / "scratch", options)
    yield made
    made.close()
    assert descendants(os.getpid()) == []


def wait(executor: LocalExecutor, kind: str) -> dict[str, Any]:
    for _ in range(400):
        for event in executor.wait(0.1):
            if event["kind"] == kind:
                return dict(event)
    raise AssertionError(f"no event {kind}")


def test_a_task_ends_as_a_discharge_does(project: Project, executor: LocalExecutor) -> None:
    executor.start(TASK)
    end = Discharge.from_json(wait(executor, "ended")["end"])
    assert (end.address, end.outcome, end.level) == ("small-v1#FALSIFY-SMALL-001", "Pass", "live")
    assert len(project.evidence()) == 2
    executor.start(TASK)
    assert Discharge.from_json(wait(executor, "ended")["end"]).fresh


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"address": "small-v1#FALSIFY-SMALL-007"}, "is no longer in contracts/small-v1.yaml"),
        ({"path": "contracts/gone.yaml"}, "there is no file"),
    ],
)
def test_what_is_gone_ends_in_error(executor: LocalExecutor, changes: dict[str, str], why: str) -> None:
    executor.start({**TASK, **changes})
    end = Discharge.from_json(wait(executor, "ended")["end"])
    assert end.outcome == "Error"
    assert why in end.message


def test_a_worker_that_is_killed_is_told_of_and_replaced(project: Project, executor: LocalExecutor) -> None:
    project.contract(**HANGS)
    executor.start(TASK)
    wait(executor, "progress")
    (worker,) = executor._workers
    os.kill(worker.process.pid, signal.SIGKILL)
    event = wait(executor, "lost")
    assert event["task"] == TASK["address"]
    assert "SIGKILL" in event["why"]
    deadline = time.monotonic() + 5
    while descendants(os.getpid()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert descendants(os.getpid()) == []
    project.contract()
    executor.start(TASK)
    assert wait(executor, "ended")["end"]["outcome"] == "Pass"


def threads_of_what_runs(executor: LocalExecutor) -> set[str | None]:
    """Return what the processes that run checks were told of threads."""
    executor.start(TASK)
    wait(executor, "ended")
    (worker,) = executor._workers
    told = set()
    for pid in (worker.process.pid, *descendants(worker.process.pid)):
        variables = Path(f"/proc/{pid}/environ").read_text().split("\0")
        told.add(next((text for text in variables if text.startswith("OMP_NUM_THREADS=")), None))
    return told


def test_processes_share_the_processors(
    project: Project, executor: LocalExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    del project
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    share = max(1, len(os.sched_getaffinity(0)) // 2)
    assert threads_of_what_runs(executor) == {f"OMP_NUM_THREADS={share}"}


def test_who_says_how_many_threads_is_obeyed(
    project: Project, executor: LocalExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    del project
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert threads_of_what_runs(executor) == {"OMP_NUM_THREADS=7"}


def test_one_process_has_every_processor() -> None:
    assert threads(1) == {}


def test_closing_ends_what_is_under_way(project: Project, executor: LocalExecutor) -> None:
    project.contract(**HANGS)
    executor.start(TASK)
    wait(executor, "progress")
    began = time.monotonic()
    executor.close()
    assert time.monotonic() - began < 4
    executor._workers.clear()
