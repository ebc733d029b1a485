"""A sweep that is killed or interrupted, and what goes on with it."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pv.exits import Exit
from pv.journal import read_journal
from tests.pv.commands.swept import (
    HANGS,
    IDS,
    ONCE,
    journal_of,
    outcomes,
    started,
    wait_for,
    write,
)

if TYPE_CHECKING:
    from tests.pv.conftest import Project


def test_killed_in_a_later_attempt_the_earlier_ones_are_still_shown(project: Project, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    write(project, _1=ONCE | {"with": {"marker": str(marker), "value": 1.0}, "retries": 1})
    assert project.pv("sweep", "--json", IDS[0]).code == Exit.ACCEPTED
    journal = journal_of(project)
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(line for line in lines if json.loads(line)["event"] not in {"end", "finish"}))
    project.record().unlink()
    project.record("algorithm").unlink()
    ended = project.pv("sweep", "--resume", "--json")
    (result,) = ended.json["results"]
    assert result["message"] == "was running when the sweep was killed"
    assert len(result["attempts"]) == 1
    assert "fell off the bus" in result["attempts"][0]


def test_killed_it_goes_on_where_it_was_and_steps_over_what_ran(project: Project) -> None:
    write(project, _3=HANGS)
    process = project.start("sweep")
    path = wait_for(project.root / ".pv" / "sweeps", 3, process)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    scratch = path.with_name(f"{path.name}.scratch")
    assert scratch.is_dir()
    partial = project.root / "evidence" / "small-v1" / IDS[2] / ".live-shipped-cpu.json.abcd1234"
    partial.parent.mkdir(parents=True)
    partial.write_text("half")
    before = project.evidence()
    ended = project.pv("sweep", "--resume", "--json")
    assert ended.code == Exit.ERROR
    assert outcomes(ended) == dict(zip(IDS, ("Pass", "Pass", "Error", "Pass", "Pass"), strict=True))
    assert ended.json["stepped_over"] == [f"small-v1#{IDS[2]}"]
    (error,) = [one for one in ended.json["results"] if one["outcome"] == "Error"]
    assert error["message"] == "was running when the sweep was killed"
    assert started(path) == [*IDS]  # each once
    assert not scratch.exists()
    assert not partial.exists()
    kept = {name: data for name, data in project.evidence().items() if name in before}
    assert kept == {name: data for name, data in before.items() if not name.endswith("abcd1234")}
    write(project)
    retried = project.pv("sweep", "--resume", "--retry", "--json")
    assert retried.code == Exit.ACCEPTED
    assert started(path) == [*IDS, IDS[2]]
    assert retried.json["counts"] == {"Pass": 5}


def test_killed_after_its_evidence_was_written_it_has_ended(project: Project) -> None:
    write(project)
    assert project.pv("sweep").code == Exit.ACCEPTED
    path = journal_of(project)
    lines = path.read_bytes().splitlines(keepends=True)
    last = max(number for number, line in enumerate(lines) if b'"start"' in line)
    path.write_bytes(b"".join(lines[: last + 1]))
    before = project.evidence()
    ended = project.pv("sweep", "--resume", "--json")
    assert ended.code == Exit.ACCEPTED
    assert ended.json["counts"] == {"Pass": 5}
    assert project.evidence() == before
    assert len(started(path)) == 5


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.2])
def test_killed_at_any_moment_nothing_is_lost_and_nothing_is_run_twice(
    project: Project, delay: float
) -> None:
    write(project)
    process = project.start("sweep", "--jobs", "2")
    path = wait_for(project.root / ".pv" / "sweeps", 1, process)
    time.sleep(delay)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    before = project.evidence()
    ended = project.pv("sweep", "--resume", "--json")
    assert set(outcomes(ended)) == {*IDS}
    assert set(ended.json["counts"]) <= {"Pass", "Error"}
    assert ended.json["counts"].get("Error", 0) == len(ended.json["stepped_over"]) <= 2
    begun = started(path)
    assert sorted(begun) == sorted(set(begun)) == [*IDS]
    whole = {name: data for name, data in before.items() if not name.rpartition("/")[2].startswith(".")}
    assert {name: data for name, data in project.evidence().items() if name in whole} == whole
    assert project.pv("evidence", "verify").code == Exit.ACCEPTED
    assert project.pv("sweep", "--resume", "--retry").code == Exit.ACCEPTED


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_stops_it_and_blames_nothing(project: Project, number: signal.Signals) -> None:
    write(project, _2=HANGS)
    process = project.start("sweep")
    path = wait_for(project.root / ".pv" / "sweeps", 2, process)
    process.send_signal(number)
    _, said = process.communicate(timeout=20)
    assert process.returncode == Exit.INTERRUPTED
    assert "--resume goes on with it" in said
    reading = read_journal(path)
    assert reading.running == ()
    assert [one.partition("#")[2] for one in reading.left] == [*IDS[1:]]
    write(project)
    assert project.pv("sweep", "--resume").code == Exit.ACCEPTED


def test_what_a_killed_worker_had_half_written_is_removed(project: Project) -> None:
    write(project, _3=HANGS)
    process = project.start("sweep")
    path = wait_for(project.root / ".pv" / "sweeps", 3, process)
    partial = project.root / "evidence" / "small-v1" / IDS[2] / ".live-shipped-cpu.json.abcd1234"
    partial.parent.mkdir(parents=True)
    partial.write_text("half")
    (worker,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(worker), signal.SIGKILL)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == Exit.ERROR
    assert "the process that was to discharge it ended by SIGKILL" in out
    assert read_journal(path).outcomes[f"small-v1#{IDS[3]}"] == "Pass"
    assert not partial.exists()
