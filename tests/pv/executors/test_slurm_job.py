"""The job's side alone, as a process; submitit's part is played by a line of Python."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pv.executors.slurm_files import Attempt, new_attempt
from pv.executors.slurm_job import Job
from pv.outcome import Discharge

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ADDRESS = "small-v1#FALSIFY-SMALL-001"
TASK = {"address": ADDRESS, "path": "contracts/small-v1.yaml", "device": "cpu"}
OPTIONS: dict[str, Any] = {
    "level": "auto",
    "device": "auto",
    "seed": None,
    "record": True,
    "force": False,
    "argv": [],
}
PROGRAM = """
import json, sys
from pv.executors.slurm_job import Job
Job(**json.loads(sys.argv[1]))()
"""
ROOT = Path(__file__).parents[3]


@pytest.fixture
def job(project: Project, tmp_path: Path) -> Job:
    attempt = new_attempt(tmp_path / "sweep", TASK)
    return Job(str(attempt.path), str(project.root), TASK, OPTIONS, 60)


@pytest.fixture
def hanging(project: Project, job: Job, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The process of a job whose check waits, once it does."""
    waits = {
        "check": "small_checks.waiting:waits",
        "with": {"log": str(tmp_path / "log"), "gate": str(tmp_path / "gate"), "value": 1.0},
        "subjects": None,
        "expect": ["min(x) >= 1"],
        "counter_examples": ["less"],
    }
    project.contract(**waits)
    with start(job) as process:
        try:
            while not (tmp_path / "log").exists():
                assert process.poll() is None
                time.sleep(0.05)
            yield process
        finally:
            process.kill()


def start(job: Job) -> subprocess.Popen[bytes]:
    import json

    words = [sys.executable, "-c", PROGRAM, json.dumps(dataclasses.asdict(job))]
    return subprocess.Popen(words, env=os.environ | {"PYTHONPATH": str(ROOT)}, start_new_session=True)


def end_of(job: Job) -> Any:
    with start(job) as process:
        assert process.wait(60) == 0
    return Attempt(Path(job.folder)).end()


def test_it_leaves_the_end_and_the_records_of_it(job: Job, project: Project) -> None:
    found = end_of(job)
    assert (found["task"], found["kind"]) == (ADDRESS, "ended")
    end = Discharge.from_json(found["end"])
    assert end.outcome == "Pass"
    recorded = {name: data.decode() for name, data in project.evidence().items() if name.endswith(".json")}
    assert found["records"] == recorded
    assert len(recorded) == 2
    assert [note["what"] for note in Attempt(Path(job.folder)).notes()] == ["begun"]


def test_what_has_its_end_is_not_run_again(job: Job, project: Project) -> None:
    Attempt(Path(job.folder)).write_end({"kind": "ended"})
    assert end_of(job) == {"kind": "ended"}
    assert project.evidence() == {}


def test_what_nobody_wants_any_more_is_not_begun(job: Job, project: Project) -> None:
    Attempt(Path(job.folder)).cancel()
    assert end_of(job) is None
    assert project.evidence() == {}


def test_what_its_node_left_without_a_word_is_lost_to_the_node(job: Job, project: Project) -> None:
    Attempt(Path(job.folder)).note("begun", node="n1")
    found = end_of(job)
    assert (found["kind"], found["why"], found["host"]) == ("lost", "its node died under it: n1", True)
    assert project.evidence() == {}


def test_what_was_told_to_stop_is_run_again_and_what_it_had_half_written_is_gone(
    job: Job, project: Project
) -> None:
    attempt = Attempt(Path(job.folder))
    attempt.note("begun", node="n1")
    attempt.note("told", signal="SIGTERM")
    partial = project.root / "evidence" / "small-v1" / "FALSIFY-SMALL-001" / ".live-shipped-cpu.json.abcd"
    partial.parent.mkdir(parents=True)
    partial.touch()
    assert end_of(job)["end"]["outcome"] == "Pass"
    assert not partial.exists()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"version": "0.0.1"}, "and the sweep is of 0.0.1"),
        ({"root": "/nowhere"}, "the project cannot be read on the node"),
    ],
)
def test_a_node_that_is_set_up_otherwise_says_so(job: Job, changes: dict[str, Any], why: str) -> None:
    found = end_of(dataclasses.replace(job, **changes))
    assert found["kind"] == "lost"
    assert why in found["why"]
    assert not found["host"]


def test_a_check_that_died_of_what_was_sent_to_all_says_nothing_of_the_claim(
    hanging: subprocess.Popen[bytes], job: Job, project: Project
) -> None:
    attempt = Attempt(Path(job.folder))
    os.killpg(hanging.pid, signal.SIGTERM)
    for process in descendants_of(hanging.pid):
        with contextlib.suppress(ProcessLookupError):  # it may have ended with the one that started it
            os.kill(process, signal.SIGTERM)
    time.sleep(2.5)
    assert hanging.poll() is None  # it waits for its end
    assert attempt.end() is None
    assert attempt.notes()[-1] == {"what": "told", "signal": "SIGTERM"}
    attempt.cancel()
    assert hanging.wait(5) == 128 + signal.SIGTERM
    assert project.evidence() == {}


def test_a_worker_that_was_killed_alone_is_lost(hanging: subprocess.Popen[bytes], job: Job) -> None:
    worker = descendants_of(hanging.pid)[0]
    os.kill(worker, signal.SIGKILL)
    assert hanging.wait(20) == 0
    found = Attempt(Path(job.folder)).end()
    assert found is not None
    assert found["kind"] == "lost"
    assert "SIGKILL" in found["why"]
    assert not found.get("host")


def test_one_that_is_cancelled_stops_by_itself(hanging: subprocess.Popen[bytes], job: Job) -> None:
    Attempt(Path(job.folder)).cancel()
    assert hanging.wait(10) == 128 + signal.SIGTERM
    assert Attempt(Path(job.folder)).end() is None


def descendants_of(process: int) -> list[int]:
    from pv.processes import descendants

    return descendants(process)
