"""Sweeps by a real Slurm of one node: what ends, what is lost, and what is run again."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pv.exits import Exit
from pv.journal import latest_journal, read_journal
from tests.pv.conftest import CLAUSE
from tests.pv.executors.slurm_cluster import Cluster, processes_with, until

if TYPE_CHECKING:
    from tests.pv.conftest import Project

pytestmark = pytest.mark.service

IDS = tuple(f"FALSIFY-SMALL-{number:03}" for number in range(1, 6))
FAILS = {"expect": ["max(distance) <= 0.2", "count(distance) == expected"]}
ERRS = {
    "check": "small_checks.broken:breaks",
    "with": {"how": "raises"},
    "subjects": None,
    "expect": ["min(x) >= 1"],
    "counter_examples": ["never"],
}
IN_JOB = b"SUBMITIT_EXECUTOR=slurm"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("slurm"))
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
def cluster(running: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """The cluster, with nothing in its queue; pv finds it."""
    monkeypatch.setenv("SLURM_CONF", str(running.settings))
    monkeypatch.setenv("PV_LEASES", str(tmp_path / "leases"))
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    yield running
    running.call("scancel", f"--user={os.getuid()}")
    until(lambda: "RUNNING" not in running.jobs().values(), "the end of all jobs")
    until(lambda: running.node() in {"idle", "completing", "mixed"}, "the node", 60)


class Waiting:
    """A falsifier that waits until it is let go."""

    def __init__(self, folder: Path) -> None:
        self.log, self.gate = folder / "log", folder / "gate"
        self.clause = {
            "check": "small_checks.waiting:waits",
            "with": {"log": str(self.log), "gate": str(self.gate), "value": 1.0},
            "subjects": None,
            "expect": ["min(x) >= 1"],
            "counter_examples": ["less"],
            "needs": {"memory": "64 MiB", "timeout": "600 s"},
        }

    @property
    def begun(self) -> int:
        """How often the undamaged check began."""
        return self.log.read_text().splitlines().count("1.0") if self.log.exists() else 0


@pytest.fixture
def waiting(tmp_path: Path) -> Waiting:
    return Waiting(tmp_path)


def write(project: Project, **changes: Any) -> None:
    project.contract(*(dict(CLAUSE) | {"id": one} | changes.get(f"_{one[-1]}", {}) for one in IDS))


Sweep = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def sweep(project: Project) -> Iterator[Sweep]:
    """Start a sweep in a process, which is killed if the test leaves it."""
    with contextlib.ExitStack() as stack:

        def start(*words: str) -> subprocess.Popen[str]:
            where = [] if "--resume" in words else ["--executor", "slurm"]
            process = stack.enter_context(project.start("sweep", "--json", *where, *words))
            stack.callback(process.kill)
            return process

        yield start


def end(process: subprocess.Popen[str]) -> Any:
    out, err = process.communicate(timeout=120)
    assert out, err
    return json.loads(out)


def ends(report: Any) -> dict[str, str]:
    return {one["falsifier"].partition("#")[2]: one["outcome"] for one in report["results"]}


def journal(project: Project) -> list[Any]:
    path = latest_journal(project.root / ".pv" / "sweeps")
    assert path is not None
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def started(project: Project) -> list[str]:
    return [one["falsifier"].partition("#")[2] for one in journal(project) if one["event"] == "start"]


def only(project: Project, waiting: Waiting, **more: Any) -> None:
    project.contract(dict(CLAUSE) | waiting.clause | more)


def running_job(cluster: Cluster) -> str:
    until(lambda: "RUNNING" in cluster.jobs().values(), "a job that runs")
    return next(job for job, state in cluster.jobs().items() if state == "RUNNING")


@pytest.mark.usefixtures("cluster")
def test_a_sweep_ends_as_one_on_this_host_does(project: Project, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    script = "#!/bin/sh\nprintf 'H100, 9.0, 1, 80, GPU-a\\nH100, 9.0, 1, 80, GPU-b\\n'\n"
    (tmp_path / "bin" / "nvidia-smi").write_text(script)
    (tmp_path / "bin" / "nvidia-smi").chmod(0o755)
    (tmp_path / "log").mkdir()
    once = {
        "check": "small_checks.devices:breaks_once",
        "subjects": None,
        "counter_examples": ["fewer"],
        "expect": ["min(x) >= 1"],
        "retries": 1,
        "with": {"marker": str(tmp_path / "one"), "value": 1.0},
    }
    device = {
        "check": "small_checks.devices:holds_a_device",
        "subjects": None,
        "counter_examples": ["less"],
        "with": {"log": str(tmp_path / "log"), "seconds": 0.5, "value": 1.0},
        "expect": ["min(x) >= 1", "count(visible) == 1"],
        "needs": {"memory": "64 MiB", "timeout": "60 s", "gpu": ">=8.9"},
    }
    clauses = [dict(CLAUSE) | {"id": one} for one in (*IDS, "FALSIFY-SMALL-006", "FALSIFY-SMALL-007")]
    changes: tuple[dict[str, Any], ...] = (FAILS, ERRS, once, device, device, device)
    for number, change in enumerate(changes):
        clauses[number + 1] |= change
    project.contract(*clauses)
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", path)
        ended = project.pv("sweep", "--executor", "slurm", "--set", "gpu=9.0", "--json")
    assert ended.code == Exit.ERROR
    assert ended.json["planned"] == {"run": 7}
    assert [*ends(ended.json).values()].count("Pass") == 5
    assert (ends(ended.json)[IDS[1]], ends(ended.json)[IDS[2]]) == ("Fail", "Error")
    attempts = {one["falsifier"][-3:]: one["attempts"] for one in ended.json["results"]}
    assert [name for name, earlier in attempts.items() if earlier] == ["004"]
    assert "the device fell off the bus" in attempts["004"][0]
    lines = [log.read_text().split() for log in (tmp_path / "log").iterdir()]
    assert len(lines) == 6
    assert {line[0] for line in lines} == {"0", "1"}  # as Slurm gave them
    for one in ("0", "1"):
        spans = sorted((int(began), int(done)) for visible, began, done, _ in lines if visible == one)
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))
    assert project.pv("evidence", "verify").code == Exit.ACCEPTED
    assert [*(project.root / ".pv").rglob("*.scratch")] == []


def test_what_slurm_is_told_is_what_was_set_and_no_more(
    cluster: Cluster, project: Project, waiting: Waiting, sweep: Sweep
) -> None:
    only(project, waiting)
    settings = {
        "partition": "main",
        "account": "science",
        "constraint": "big",
        "nodelist": "node1",
        "time": "0-01:30:00",
        "mem": "300M",
        "cpus": "2",
    }
    words = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    process = sweep(*words)
    job = running_job(cluster)
    shown = cluster.shown(job)
    until(lambda: waiting.begun == 1, "the check")
    (script,) = project.root.rglob("[0-9]*_submission.sh")
    environments = [Path(f"/proc/{one}/environ").read_bytes() for one in processes_with(IN_JOB)]
    waiting.gate.touch()
    assert ends(end(process)) == {IDS[0]: "Pass"}
    assert shown["Partition"] == "main"
    assert shown["Account"] == "science"
    assert shown["Features"] == "big"
    assert shown["ReqNodeList"] == "node1"
    assert shown["TimeLimit"] == "01:30:00"
    assert shown["MinMemoryNode"] == "300M"
    assert shown["CPUs/Task"] == "2"
    assert shown["Requeue"] == "1"
    assert "TresPerNode" not in shown
    assert shown["JobName"].startswith("pv-")
    assert IDS[0] in shown["JobName"]
    assert environments
    assert all(b"hunter2" not in one for one in environments)
    assert any(b"SLURM_CPUS_PER_TASK=2" in one for one in environments)
    assert not script.exists()  # it went with the rest of the sweep's folder


def test_what_slurm_refuses_is_an_error_of_the_settings(cluster: Cluster, project: Project) -> None:
    write(project)
    ended = project.pv("sweep", "--executor", "slurm", "--set", "partition=nowhere")
    assert ended.code == Exit.USAGE
    assert "Slurm refuses the job" in ended.err
    assert "invalid partition specified: nowhere" in ended.err
    assert project.evidence() == {}
    assert not [job for job, state in cluster.jobs().items() if state in {"RUNNING", "PENDING"}]


def test_killed_and_resumed_it_takes_over_what_runs_and_what_ended(
    cluster: Cluster, project: Project, waiting: Waiting, sweep: Sweep, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = Waiting(tmp_path / "other")
    write(project, _1=waiting.clause, _2=FAILS, _3=other.clause)
    process = sweep("--jobs", "2")
    until(lambda: waiting.begun == other.begun == 1, "the checks")
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    other.gate.touch()
    until(lambda: [*cluster.jobs().values()].count("RUNNING") == 1, "the end of one")
    before = set(cluster.jobs())
    resumed = sweep("--resume")
    until(lambda: len(started(project)) == 5, "the rest")
    waiting.gate.touch()
    report = end(resumed)
    assert ends(report) == dict(zip(IDS, ("Pass", "Fail", "Pass", "Pass", "Pass"), strict=True))
    assert waiting.begun == other.begun == 1
    assert sorted(started(project)) == [*IDS]
    assert len(set(cluster.jobs()) - before) == 2  # what had not begun
    assert {one["attempts"] == [] for one in report["results"]} == {True}


@pytest.mark.parametrize("how", ["requeue", "preempted", "signalled"])
def test_what_must_make_room_runs_again_under_its_number_and_ends_once(
    cluster: Cluster, project: Project, waiting: Waiting, sweep: Sweep, how: str
) -> None:
    only(project, waiting)
    process = sweep()
    job = running_job(cluster)
    until(lambda: waiting.begun == 1, "the check")
    partial = project.root / "evidence" / "small-v1" / IDS[0] / ".live-no-subject-cpu.json.abcd1234"
    partial.parent.mkdir(parents=True)
    partial.write_text("half")
    if how == "requeue":
        cluster.call("scontrol", "requeue", job)
    elif how == "signalled":
        cluster.call("scancel", "--signal=USR2", job)
    else:
        cluster.call("sbatch", "-p", "urgent", "--exclusive", "-o", "/dev/null", "--wrap", "sleep 3")
    until(lambda: waiting.begun == 2, "the check again")
    assert not partial.exists()
    waiting.gate.touch()
    report = end(process)
    assert ends(report) == {IDS[0]: "Pass"}
    assert report["results"][0]["attempts"] == []
    assert cluster.shown(job)["Restarts"] == "1"
    assert started(project) == [IDS[0]]
    assert len([one for one in journal(project) if one["event"] == "end"]) == 1
    assert len(project.evidence()) == 2


def test_a_node_that_died_is_not_the_fault_of_the_check(
    cluster: Cluster, project: Project, waiting: Waiting, sweep: Sweep
) -> None:
    only(project, waiting)
    process = sweep()
    job = running_job(cluster)
    until(lambda: waiting.begun == 1, "the check")
    cluster.kill_node()
    cluster.call("scontrol", "update", "nodename=node1", "state=down", "reason=test")
    until(lambda: cluster.jobs()[job] == "PENDING", "the job in the queue")
    cluster.start_daemon()
    cluster.resume_node()
    until(lambda: waiting.begun == 2, "the check again")
    waiting.gate.touch()
    report = end(process)
    assert ends(report) == {IDS[0]: "Pass"}
    (attempt,) = report["results"][0]["attempts"]
    assert attempt.startswith("its node died under it: ")
    assert started(project) == [IDS[0], IDS[0]]


def test_a_node_that_was_taken_away_gives_its_job_to_another(
    cluster: Cluster, project: Project, waiting: Waiting, sweep: Sweep
) -> None:
    only(project, waiting)
    process = sweep()
    job = running_job(cluster)
    until(lambda: waiting.begun == 1, "the check")
    cluster.call("scontrol", "update", "nodename=node1", "state=down", "reason=test")
    until(lambda: cluster.jobs()[job] == "PENDING", "the job in the queue")
    until(lambda: not [*cluster.managers()], "the end of what ran on it")
    waiting.gate.touch()
    cluster.resume_node()
    report = end(process)
    assert ends(report) == {IDS[0]: "Pass"}
    assert len(started(project)) == 1 + len(report["results"][0]["attempts"]) <= 2


def test_what_somebody_cancels_ends_in_error_with_what_slurm_says(
    cluster: Cluster, project: Project, waiting: Waiting, sweep: Sweep
) -> None:
    only(project, waiting)
    process = sweep()
    job = running_job(cluster)
    until(lambda: waiting.begun == 1, "the check")
    cluster.call("scancel", job)
    (result,) = end(process)["results"]
    assert process.returncode == Exit.ERROR
    assert result["message"] == "its job is CANCELLED"
    assert f"JobId={job}" in result["detail"]
    assert "CANCELLED AT" in result["detail"]
    assert result["attempts"] == []
    assert waiting.begun == 1


def test_what_takes_longer_than_its_job_may_is_not_run_again(
    cluster: Cluster, project: Project, waiting: Waiting, sweep: Sweep
) -> None:
    only(project, waiting)
    process = sweep("--set", "time=1")
    running_job(cluster)
    until(lambda: waiting.begun == 1, "the check")
    (result,) = end(process)["results"]
    assert process.returncode == Exit.ERROR
    assert result["message"] == "it took longer than the 1 minutes of its job"
    assert waiting.begun == 1


def test_an_interrupt_cancels_jobs_and_blames_nothing(
    cluster: Cluster, project: Project, waiting: Waiting, sweep: Sweep
) -> None:
    write(project, _1=waiting.clause, _2=waiting.clause | {"needs": {"memory": "65 MiB", "timeout": "9 s"}})
    process = sweep("--jobs", "2")
    until(lambda: waiting.begun == 2, "the checks")
    jobs = cluster.jobs()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == Exit.INTERRUPTED
    until(lambda: not [*processes_with(IN_JOB)], "the end of all processes", 10)
    states = cluster.jobs()
    mine = [job for job, state in jobs.items() if state == "RUNNING"]
    assert len(mine) == 2
    assert not {states[job] for job in mine} & {"RUNNING", "PENDING", "COMPLETING"}
    path = latest_journal(project.root / ".pv" / "sweeps")
    assert path is not None
    assert read_journal(path).running == ()
    assert not path.with_name(f"{path.name}.scratch").exists()
    waiting.gate.touch()
    resumed = sweep("--resume")
    assert ends(end(resumed)) == dict.fromkeys(IDS, "Pass")


# The last: it may be a minute until Slurm has done with what ended while the controller was away.
def test_a_controller_that_is_away_is_no_death_of_a_job(
    cluster: Cluster, project: Project, waiting: Waiting, sweep: Sweep, tmp_path: Path
) -> None:
    other = Waiting(tmp_path / "other")
    other.log.parent.mkdir()
    write(project, _1=waiting.clause, _2=other.clause)
    process = sweep("--jobs", "2")
    until(lambda: waiting.begun == other.begun == 1, "the checks")
    cluster.stop_controller()
    waiting.gate.touch()  # one ends, and three more are yet to be submitted
    time.sleep(12)
    assert process.poll() is None
    cluster.start_controller()
    other.gate.touch()
    report = end(process)
    assert ends(report) == dict.fromkeys(IDS, "Pass")
    assert {len(one["attempts"]) for one in report["results"]} == {0}
    assert waiting.begun == other.begun == 1
