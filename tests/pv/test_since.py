from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from pv.exits import Exit
from pv.selection import select
from pv.since import changed_since

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ONE, TWO, GATE = "FALSIFY-SMALL-001", "FALSIFY-SMALL-002", "FALSIFY-SMALL-003"


def git(project: Project, *words: str) -> None:
    own = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *own, *words], cwd=project.root, check=True, capture_output=True)


def clauses(**first: Any) -> list[dict[str, Any]]:
    from tests.pv.conftest import CLAUSE

    gate = {
        "id": GATE,
        "rule": "as measured",
        "prediction": "near",
        "if_fails": "far",
        "basis": {"distance": {"falsifier": ONE, "metric": "distance"}},
        "expect": ["max(distance) <= 0.25"],
    }
    noise = {
        "id": TWO,
        "check": "small_checks.broken:breaks",
        "with": {"how": "raises"},
        "subjects": None,
        "expect": ["min(x) >= 1"],
        "counter_examples": ["never"],
    }
    return [dict(CLAUSE) | first, dict(CLAUSE) | noise, gate]


@pytest.fixture
def committed(project: Project) -> Project:
    project.contract(*clauses())
    (project.root / ".gitignore").write_text(".pv/\n")
    git(project, "init", "-q")
    git(project, "add", ".")
    git(project, "commit", "-qm", "all")
    return project


def changed(project: Project) -> dict[str, str]:
    config = project.config()
    found = changed_since("HEAD", select([str(project.root / "contracts")], config), config)
    return {address.partition("#")[2]: why for address, why in found.items()}


def test_an_untouched_tree_has_changed_in_nothing(committed: Project) -> None:
    assert changed(committed) == {}
    ended = committed.pv("sweep", "--since", "HEAD")
    assert ended.code == Exit.USAGE
    assert "none of them changed since HEAD" in ended.err


def test_a_module_that_a_check_imports_changes_it_and_the_gate_that_cites_it(committed: Project) -> None:
    committed.edit("small_checks/scale.py", "SCALE = 1.0", "SCALE = 1.25")
    found = changed(committed)
    assert set(found) == {ONE, GATE}
    assert found[ONE] == "small_checks/scale.py changed"
    assert found[GATE] == f"small-v1#{ONE}: small_checks/scale.py changed"
    ended = committed.pv("sweep", "--since", "HEAD", "--dry-run", "--json")
    assert [line["falsifier"].partition("#")[2] for line in ended.json] == [ONE, GATE]


@pytest.mark.parametrize("comment", ["# a comment\n", '"""Words."""\n'])
def test_what_changes_nothing_that_runs_changes_nothing(committed: Project, comment: str) -> None:
    path = committed.root / "small_checks" / "distance.py"
    path.write_text(path.read_text() + "\n" + comment)
    assert changed(committed) == {}


def test_a_clause_and_a_subject_and_a_new_falsifier_count(committed: Project) -> None:
    first, second, gate = clauses(expect=["max(distance) <= 0.3", "count(distance) == expected"])
    committed.contract(first, second, gate, {**second, "id": "FALSIFY-SMALL-004"})
    found = changed(committed)
    assert set(found) == {ONE, GATE, "FALSIFY-SMALL-004"}
    assert found["FALSIFY-SMALL-004"] == "it is new"
    assert "0.25" in found[ONE]


def test_another_pin_counts(committed: Project) -> None:
    (committed.root / "data" / "stand-in.txt").write_text("0\n1\n2.25\n3\n4\n")
    committed.pin()
    text = (committed.root / "pv.toml").read_text()
    sha = subprocess.run(
        ["sha256sum", committed.root / "data" / "stand-in.txt"], capture_output=True, text=True, check=True
    ).stdout.split()[0]
    import hashlib
    from pathlib import Path

    old = hashlib.sha256(
        (Path(__file__).parent / "resources/small/data/stand-in.txt").read_bytes()
    ).hexdigest()
    (committed.root / "pv.toml").write_text(text.replace(old, sha))
    assert set(changed(committed)) == {ONE, GATE}


def test_a_contract_that_could_not_be_read_then_is_new(committed: Project) -> None:
    path = committed.contract(*clauses())
    text = path.read_text()
    path.write_text("a: [")
    git(committed, "commit", "-qam", "broken")
    path.write_text(text)
    assert set(changed(committed).values()) == {"it is new"}
