from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from pv.exits import Exit

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"
CLAUSE: dict[str, Any] = {
    "id": ID,
    "rule": "The score does not hang on the seed",
    "prediction": "two seeds lie within two points",
    "if_fails": "the score is luck",
    "check": "small_checks.noise:score",
    "subjects": {"functional": {"numbers": "stand-in"}, "live": {"numbers": "shipped"}},
    "expect": ["max(score) - min(score) <= 2.5", "count(score) == 2"],
    "counter_examples": ["inflated"],
    "runs": {"by": "seed", "seeds": [0, 1]},
}


@pytest.fixture
def committed(project: Project) -> Project:
    project.contract(CLAUSE)
    assert project.pv("discharge", ID).code == Exit.ACCEPTED
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        author = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *author, *command], cwd=project.root, check=True)
    return project


def test_runs_made_again_are_compared_all_together(committed: Project) -> None:
    # The first run's own record was judged when there was no second: alone it says nothing.
    for option in ("--force", "--no-record"):
        ended = committed.pv("discharge", ID, option, "--against", "HEAD")
        assert ended.code == Exit.ACCEPTED, ended.said


@pytest.mark.parametrize("option", ["--force", "--no-record"])
def test_runs_that_are_judged_otherwise_are_not_reproduced(committed: Project, option: str) -> None:
    committed.edit("small_checks/noise.py", "spread * run.seed", "3 * spread * run.seed * (max(numbers) > 3)")
    ended = committed.pv("discharge", ID, option, "--against", "HEAD")
    assert ended.code == Exit.REJECTED
    assert "Fail here, Pass in evidence/small-v1" in ended.out
    assert "live-shipped-cpu-seed-1.json at HEAD: the verdict is not reproduced" in ended.out
