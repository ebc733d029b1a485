"""The nightly script, run for real: a clean night, one that was killed, two at once, and its units."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.pv.conftest import CLAUSE, Project

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy" / "nightly"
SCRIPT = DEPLOY / "nightly.sh"
SLOW = dict(CLAUSE) | {
    "id": "FALSIFY-SMALL-009",
    "check": "small_checks.broken:breaks",
    "with": {"how": "hangs"},
    "subjects": None,
    "expect": ["min(x) >= 1"],
    "counter_examples": ["never"],
    "needs": {"memory": "256 MiB", "timeout": "10 min"},
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    """Variables under which `pv` is the one under test."""
    program = tmp_path / "pv"
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m pv "$@"\n')
    program.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PV_", "GIT_"))}
    return kept | {"PV_PROGRAM": str(program)}


def night(project: Project, variables: dict[str, str], **more: str) -> subprocess.CompletedProcess[str]:
    assert shutil.which("flock"), "flock is not installed: apt-get install util-linux"
    return subprocess.run(
        [SCRIPT, project.root], env=variables | more, capture_output=True, text=True, check=False, timeout=120
    )


def test_a_clean_night_leaves_evidence_a_page_and_a_log(
    project: Project, variables: dict[str, str], tmp_path: Path
) -> None:
    store = tmp_path / "store"
    done = night(project, variables, PV_SITE="site", PV_STORE=f"file://{store}")
    assert done.returncode == 0, done.stderr
    assert project.status()[0] == "DISCHARGED"
    assert (project.root / "site" / "index.html").is_file()
    logs = project.root / ".pv" / "nightly"
    assert "1 Pass" in (logs / "latest.log").read_text()
    assert "## pv sweep: accepted" in (logs / "latest.md").read_text()
    assert not (logs / "unfinished").exists()
    assert [path for path in store.rglob("*") if path.is_file()]
    shutil.rmtree(project.root / "evidence")
    assert project.status()[0] == "UNBOUND"
    assert project.pv("evidence", "pull", "--store", f"file://{store}").code == 0
    assert project.status()[0] == "DISCHARGED"


@pytest.mark.service
def test_how_a_night_ends_is_how_its_sweep_ended_or_else_what_followed(
    project: Project, variables: dict[str, str]
) -> None:
    with (project.root / "pv.toml").open("a") as file:
        file.write('\n[gate]\nstale = "warn"\n')
    assert night(project, variables, PV_STORE="nothing://y").returncode == 4
    project.contract(dict(CLAUSE) | {"expect": ["max(distance) <= 0.01", "count(distance) == expected"]})
    done = night(project, variables, PV_STORE="nothing://y", PV_SITE="contracts")
    assert done.returncode == 1
    assert "push evidence: failed with" in done.stderr
    assert "write the page: failed with" in done.stderr  # that folder holds something else
    assert (project.root / "contracts" / "small-v1.yaml").is_file()
    assert night(project, variables, PV_SWEEP="none").returncode == 2
    (project.root / "pv.toml").unlink()
    assert night(project, variables).returncode == 2


@pytest.mark.service
def test_a_night_that_was_killed_is_gone_on_with(project: Project, variables: dict[str, str]) -> None:
    project.contract(dict(CLAUSE), SLOW, dict(CLAUSE) | {"id": "FALSIFY-SMALL-010"})
    first = subprocess.Popen([SCRIPT, project.root], env=variables, start_new_session=True)
    logs = project.root / ".pv" / "nightly"
    deadline = time.monotonic() + 60
    while not any("FALSIFY-SMALL-009" in line for line in started(logs)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    at_once = night(project, variables)
    assert at_once.returncode == 75
    assert "another one is still at it" in at_once.stderr
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    before = (logs / "unfinished").read_text().strip()
    time.sleep(1)  # what it had started sees that it is gone
    done = night(project, variables)
    assert done.returncode == 4, done.stderr  # what hung is stepped over, as an error
    assert f"go on with the sweep of {before}" in done.stderr
    assert not (logs / "unfinished").exists()
    assert len(list(logs.glob("2*.jsonl"))) == 1
    assert project.status("FALSIFY-SMALL-001")[0] == "DISCHARGED"
    assert project.status("FALSIFY-SMALL-010")[0] == "DISCHARGED"


def started(logs: Path) -> list[str]:
    journals = [path.read_text() for path in logs.glob("2*.jsonl")]
    return [line for text in journals for line in text.splitlines() if '"event": "start"' in line]


@pytest.mark.service
def test_a_night_that_cannot_be_gone_on_with_is_begun_anew(
    project: Project, variables: dict[str, str]
) -> None:
    logs = project.root / ".pv" / "nightly"
    logs.mkdir(parents=True)
    (logs / "unfinished").write_text("20200101T000000Z\n")
    (logs / "20200101T000000Z.jsonl").write_text("no journal\n")
    done = night(project, variables)
    assert done.returncode == 0, done.stderr
    assert project.status()[0] == "DISCHARGED"


@pytest.mark.service
def test_only_the_latest_nights_are_kept(project: Project, variables: dict[str, str]) -> None:
    logs = project.root / ".pv" / "nightly"
    logs.mkdir(parents=True)
    for day in range(10, 20):
        for ending in ("log", "jsonl", "md"):
            (logs / f"202001{day}T000000Z.{ending}").write_text("")
    (logs / "notes.log").write_text("mine")
    assert night(project, variables, PV_KEEP="3").returncode == 0
    for ending in ("log", "jsonl", "md"):
        kept = sorted(path.name for path in logs.glob(f"2*.{ending}"))
        assert kept[:2] == [f"202001{day}T000000Z.{ending}" for day in (18, 19)]
        assert len(kept) == 3
    assert (logs / "notes.log").is_file()


def test_the_script_is_for_every_shell_and_the_crontab_names_it() -> None:
    assert os.access(SCRIPT, os.X_OK)
    assert SCRIPT.read_text(encoding="utf-8").startswith("#!/bin/sh\n")
    assert subprocess.run(["sh", "-n", SCRIPT], check=False).returncode == 0
    (line,) = [
        line
        for line in (DEPLOY / "crontab").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    assert len(line.split()) > 6
    assert "/usr/local/bin/pv-nightly" in line
    assert "%" not in line  # cron takes it for the end of the line


@pytest.mark.service
def test_systemd_finds_no_fault_with_the_units(tmp_path: Path) -> None:
    assert shutil.which("systemd-analyze"), "systemd is not installed: apt-get install systemd"
    for unit in DEPLOY.glob("pv-nightly@.*"):
        text = unit.read_text(encoding="utf-8")
        if unit.suffix == ".service":
            assert "ExecStart=/usr/local/bin/pv-nightly\n" in text
        # What is to be installed first is not here.
        text = text.replace("/usr/local/bin/pv-nightly", "/bin/true").replace("User=pv\n", "User=daemon\n")
        (tmp_path / unit.name).write_text(text)
    for name in ("pv-nightly@x.service", "pv-nightly@x.timer"):
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", tmp_path / name],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
    wrong = tmp_path / "pv-nightly@.timer"
    wrong.write_text(wrong.read_text().replace("OnCalendar=", "OnCalender="))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / "pv-nightly@x.timer"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "OnCalender" in done.stderr  # it would have told
