"""What we make of what Slurm's commands print; they are scripts here, and real in test_slurm_cluster.py."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from pv.errors import ConfigError
from pv.executors.slurm_files import new_attempt
from pv.executors.slurm_job import Job
from pv.executors.slurm_queue import RefusedError, SlurmQueue, UnreachableError

TASK = {"address": "small-v1#FALSIFY-SMALL-001", "device": "cuda"}
COMMANDS = ("sbatch", "squeue", "scancel", "srun", "scontrol", "sacct")


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is first on the PATH, with commands of Slurm that do nothing."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in COMMANDS:
        say(folder, name, "exit 0")
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def say(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    (folder / name).chmod(0o755)


def test_states_are_those_of_our_jobs(commands: Path, tmp_path: Path) -> None:
    listed = """\
7|RUNNING|None
8|PENDING|Resources
9|NODE_FAIL|NodeDown
10|CANCELLED|None
11|COMPLETED|None
12|PENDING|launch_failed_requeued_held
13|PENDING|BadConstraints
14|PREEMPTED|None
15|COMPLETING|None
16|PENDING|launch failed requeued held
99|FAILED|None"""
    lines = [line.replace("|", "|ours|", 1) for line in listed.splitlines()]
    lines += ["17|another's|RUNNING|None", "", "slurm says: odd"]
    say(commands, "squeue", f"cat <<'END'\n{chr(10).join(lines)}\nEND")
    states = SlurmQueue({}, tmp_path).states({str(number): "ours" for number in range(7, 18)})
    assert set(states) == {*map(str, range(7, 17))}
    assert {job for job, state in states.items() if state.over} == {"9", "10", "11", "14"}
    assert {job for job, state in states.items() if state.host} == {"9", "12", "14", "16"}
    assert {job for job, state in states.items() if state.hopeless} == {"12", "13", "16"}
    assert states["8"].reason == "Resources"


def test_silence_is_no_state(commands: Path, tmp_path: Path) -> None:
    say(commands, "squeue", "echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1")
    say(commands, "scancel", "echo 'scancel: error: Socket timed out on send/recv operation' >&2; exit 1")
    queue = SlurmQueue({}, tmp_path)
    with pytest.raises(UnreachableError, match="Unable to contact"):
        queue.states({"7": "ours"})
    with pytest.raises(UnreachableError, match="timed out"):
        queue.cancel(["7"])
    say(commands, "scancel", "echo 'scancel: error: Kill job error on job id 7: Invalid job id' >&2; exit 1")
    queue.cancel(["7"])  # it is over


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("Unable to contact slurm controller (connect failure)", UnreachableError),
        ("Batch job submission failed: Socket timed out on send/recv operation", UnreachableError),
        ("Slurm backup controller in standby mode", UnreachableError),
        ("Invalid partition name specified", RefusedError),
        ("Invalid account or account/partition combination specified", RefusedError),
        ("Requested node configuration is not available", RefusedError),
    ],
)
def test_a_refusal_is_told_from_silence(
    commands: Path, tmp_path: Path, said: str, error: type[Exception], capfd: pytest.CaptureFixture[str]
) -> None:
    say(commands, "sbatch", f"echo 'sbatch: error: {said}' >&2; exit 1")
    attempt = new_attempt(tmp_path / "sweep", TASK)
    job = Job(str(attempt.path), str(tmp_path), TASK, {}, 60)
    with pytest.raises(error) as raised:
        SlurmQueue({}, tmp_path).submit(attempt, job, "pv-1", gpu=False)
    assert said in str(raised.value)
    assert attempt.job is None
    assert capfd.readouterr() == ("", "")


def test_the_script_says_what_was_set_and_holds_no_secret(
    commands: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(commands, "sbatch", f'cp "$1" {tmp_path}/script; echo "Submitted batch job 42"')
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("HF_HOME", "/models/it's here")
    given = {
        "partition": "gpu",
        "account": "science",
        "qos": "night",
        "constraint": "h100&ib",
        "mem": "16G",
        "cpus": 4,
    }
    attempt = new_attempt(tmp_path / "sweep", TASK)
    job = Job(str(attempt.path), "/project", TASK, {}, 90)
    queue = SlurmQueue(given, Path("/project"))
    assert queue.submit(attempt, job, "pv-name", gpu=True) == "42"
    assert attempt.job == "42"
    script = (tmp_path / "script").read_text()
    for line in (
        *("partition=gpu", "account=science", "qos=night", "constraint='h100&ib'", "mem=16G", "time=90"),
        *("cpus-per-task=4", "gres=gpu:1", "export=NIL", "requeue", "chdir=/project", "job-name=pv-name"),
        "signal=USR2@60",
    ):
        assert f"#SBATCH --{line}\n" in script
    assert "hunter2" not in script
    assert "wckey" not in script
    assert "export HF_HOME='/models/it'\"'\"'s here'\n" in script
    assert "export PYTHONPATH=" in script
    assert f"{sys.executable} -P -u -m submitit.core._submit" in script
    assert "--export=ALL --cpus-per-task=4" in script
    given |= {"gres": "gpu:h100:1", "python": "/opt/pv/bin/python"}
    SlurmQueue(given, Path("/project")).submit(attempt, job, "pv-name", gpu=False)
    assert "gres" not in (tmp_path / "script").read_text()
    assert "PYTHONPATH" not in (tmp_path / "script").read_text()
    assert "/opt/pv/bin/python -P -u -m" in (tmp_path / "script").read_text()


def test_a_job_that_the_controller_has_forgotten_is_asked_of_the_accounts(
    commands: Path, tmp_path: Path
) -> None:
    queue = SlurmQueue({}, tmp_path)
    say(commands, "scontrol", "echo 'JobId=7 UserId=me(1) JobState=FAILED Reason=None ExitCode=1:0'")
    assert queue.describe("7") == "JobId=7 JobState=FAILED Reason=None ExitCode=1:0"
    say(commands, "scontrol", "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1")
    say(commands, "sacct", "echo '7 NODE_FAIL 0:0 n1'")
    assert queue.describe("7") == "7 NODE_FAIL 0:0 n1"
    say(commands, "sacct", "echo 'Slurm accounting storage is disabled' >&2; exit 1")
    assert queue.describe("7") == ""


def test_where_there_is_no_slurm_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    with pytest.raises(ConfigError, match="there is no Slurm here: sbatch is not on the PATH") as raised:
        SlurmQueue({}, tmp_path)
    assert "kind=local" in raised.value.remedy
