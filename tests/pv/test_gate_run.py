from __future__ import annotations

import json
import os

import pytest

from pv.exits import Exit
from tests.pv.conftest import Project
from tests.pv.staging import ADDRESS, ONE, claimed, commit, git, meaning, stage


@pytest.fixture(autouse=True)
def _no_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("GIT_", "PRE_COMMIT"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def committed(copied: Project) -> Project:
    """A project whose falsifier is discharged and claims it, all of it committed."""
    return claimed(copied)


def test_what_became_stale_is_run_and_is_to_be_staged(committed: Project) -> None:
    meaning(committed)
    stage(committed)
    ended = committed.pv("gate", "--run", "--budget", "1 min", "--stale", "fail")
    assert ended.code == Exit.REJECTED
    assert f"ran       {ADDRESS}: PASS" in ended.out
    assert "new evidence that is not staged" in ended.out
    stage(committed, "evidence")
    ended = committed.pv("gate", "--stale", "fail")
    assert ended.code == Exit.ACCEPTED, ended.said
    assert "stale" not in ended.out


def test_what_fits_no_budget_is_told_and_not_run(committed: Project) -> None:
    meaning(committed)
    stage(committed)
    before = committed.evidence()
    for path in (committed.root / "evidence").rglob("*.json"):
        whole = json.loads(path.read_text())
        whole["predicate"]["run"]["seconds"] = 90.0
        path.write_text(json.dumps(whole))
    ended = committed.pv("gate", "--run", "--budget", "30s")
    assert ended.code == Exit.ACCEPTED
    assert "not run" in ended.out
    assert "3 min when it was recorded" in ended.out.replace("3 min 0 s", "3 min")
    git(committed.root, "checkout", "-q", "--", "evidence")
    assert committed.evidence() == before


def test_a_run_that_fails_rejects(committed: Project) -> None:
    committed.edit(
        "small_checks/wholeness.py",
        'run.record("distance"',
        'run.record("distance", 0.4) or run.record("distance"',
    )
    stage(committed)
    ended = committed.pv("gate", "--run")
    assert ended.code == Exit.REJECTED, ended.said
    assert f"ran       {ADDRESS}: FAIL" in ended.out


def test_nothing_is_run_where_the_working_tree_is_another(committed: Project) -> None:
    meaning(committed)
    stage(committed)
    meaning(committed)
    (committed.root / "small_checks" / "wholeness.py").write_text(
        (committed.root / "small_checks" / "wholeness.py").read_text() + "\nOTHER = 2\n"
    )
    ended = committed.pv("gate", "--run", "--stale", "fail")
    assert ended.code == Exit.ACCEPTED
    assert "not run" in ended.out
    assert "the working tree differs" in ended.out


def test_what_this_host_cannot_judge_is_told_and_accepted(committed: Project) -> None:
    (committed.root / "data" / "shipped.txt").unlink()
    meaning(committed)
    git(committed.root, "add", "small_checks")
    ended = committed.pv("gate", "--run", "--stale", "fail")
    assert ended.code == Exit.ACCEPTED, ended.said
    assert "not here:" in ended.out


def test_nothing_of_the_repository_is_executed(committed: Project) -> None:
    marker = committed.root / "executed"
    path = committed.root / "small_checks" / "wholeness.py"
    path.write_text(path.read_text() + f"\nopen({str(marker)!r}, 'w').close()\n")
    stage(committed)
    for words in ([], ["--all-files"], ["--format", "markdown"], ["--stale", "fail"]):
        committed.pv("gate", *words)
    assert not marker.exists()


def test_a_run_that_fails_and_is_waived_rejects_nothing(committed: Project) -> None:
    waiver = {"id": ONE, "reason": "known", "approver": "a person", "created": "2020-01-01"}
    (committed.root / "waivers.yaml").write_text(json.dumps([waiver | {"expires": "2999-01-01"}]))
    commit(committed)
    path = committed.root / "small_checks" / "distance.py"
    path.write_text(path.read_text().replace("* SCALE", "* SCALE * 4"))
    stage(committed)
    ended = committed.pv("gate", "--run")
    assert "FAIL" in ended.out
    assert ended.code == Exit.ACCEPTED, ended.said
