from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.pv.conftest import CLAUSE, ROOT

if TYPE_CHECKING:
    from tests.pv.conftest import Project

UNBOUND: dict[str, Any] = {**CLAUSE, "check": None}


def tree(root: Path) -> dict[str, bytes]:
    found = (path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


def test_a_scaffold_is_valid_and_no_status_is_better_until_it_is_written(project: Project) -> None:
    path = project.contract(UNBOUND)
    text = path.read_text()
    assert project.status()[0] == "UNBOUND"
    ended = project.pv("scaffold", "contracts", "--bind")
    assert ended.code == 0, ended.said
    assert "wrote pv_checks/small_v1.py: small_001, small_001_one_half, small_001_one_missing" in ended.out
    assert path.read_text() == text + '  check: "pv_checks.small_v1:small_001"\n'
    assert project.pv("validate", "contracts").code == 0
    discharged = project.pv("discharge", "FALSIFY-SMALL-001")
    assert discharged.code == 4
    assert "NotImplementedError: small_001 is not written yet" in discharged.out
    assert project.evidence() == {}
    assert project.status()[0] == "UNBOUND"
    # With the check written, its counter-examples still are not.
    project.edit(
        "pv_checks/small_v1.py",
        '    raise NotImplementedError("small_001 is not written yet")\n',
        '    run.record("expected", 0)\n    run.record("distance", 0.0)\n',
    )
    project.edit("contracts/small-v1.yaml", "count(distance) == expected", "count(distance) == expected + 1")
    assert project.pv("discharge", "FALSIFY-SMALL-001").code == 4
    assert project.status()[0] == "UNBOUND"
    test = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=project.root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert test.returncode == 1
    assert "NotImplementedError: test_small_001 is not written yet" in test.stdout


def test_a_second_time_changes_nothing(project: Project) -> None:
    project.contract(UNBOUND)
    assert project.pv("scaffold", "contracts").code == 0
    before = tree(project.root)
    ended = project.pv("scaffold", "contracts")
    assert ended.code == 0
    assert "wrote" not in ended.out
    assert 'check: "pv_checks.small_v1:small_001"' in ended.out, "it is still to be bound"
    assert tree(project.root) == before
    assert project.pv("scaffold", "contracts", "--bind").code == 0
    before = tree(project.root)
    ended = project.pv("scaffold", "contracts", "--bind")
    assert ended.out == "1 falsifier(s) lack nothing that can be scaffolded\n"
    assert tree(project.root) == before


def test_a_dry_run_says_what_and_writes_nothing(project: Project) -> None:
    project.contract(UNBOUND)
    before = tree(project.root)
    ended = project.pv("scaffold", "contracts", "--bind", "--dry-run")
    assert ended.code == 0
    assert "+def small_001(run: Run, *, numbers: object) -> None:" in ended.out
    assert '+  check: "pv_checks.small_v1:small_001"' in ended.out
    assert tree(project.root) == before
    document = project.pv("scaffold", "contracts", "--json", "--dry-run").json
    assert document["written"] is False
    assert [entry["file"] for entry in document["files"]] == [
        "pv_checks/small_v1.py",
        "tests/test_small_v1.py",
    ]
    assert document["clauses"][0]["keys"] == {"check": "pv_checks.small_v1:small_001"}
    assert tree(project.root) == before


def test_a_bound_test_that_is_not_there_fails_as_error_until_it_is_written(project: Project) -> None:
    clause = {
        **UNBOUND,
        "subjects": None,
        "pytest": "tests/test_it.py::test_it",
        "expect": ["min(passed) == 1"],
    }
    clause["counter_examples"] = {"other": {"environment": {"OTHER": "1"}}}
    project.contract(clause)
    assert project.pv("scaffold", "FALSIFY-SMALL-001").code == 0
    assert project.pv("validate", "contracts").code == 0
    ended = project.pv("discharge", "FALSIFY-SMALL-001")
    assert ended.code == 4
    assert "test_it is not written yet" in ended.out
    assert project.status()[0] == "UNBOUND"


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (["nothing"], 2, "no falsifier"),
        ([], 2, "required"),
        (["contracts", "--into", "a-b"], 2, "--into"),
        (["contracts", "--tests", "../out"], 2, "--tests"),
    ],
)
def test_what_cannot_be_done_is_refused(project: Project, arguments: list[str], code: int, why: str) -> None:
    project.contract(UNBOUND)
    before = tree(project.root)
    ended = project.pv("scaffold", *arguments)
    assert (ended.code, why in ended.err) == (code, True), ended.said
    assert tree(project.root) == before


def test_this_repository_lacks_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pv", "scaffold", "contracts/tied-embeddings-v1.yaml", "--dry-run"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("falsifier(s) lack nothing that can be scaffolded\n")
    assert len(done.stdout.splitlines()) == 1


def test_json_is_one_of_the_formats(project: Project) -> None:
    project.contract(UNBOUND)
    line = ("scaffold", "contracts", "--dry-run")
    assert project.pv(*line, "--format", "json").json == project.pv(*line, "--json").json
