from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pv.exits import Exit

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"


def test_it_says_what_can_be_judged_here_and_why_not(project: Project) -> None:
    usual = dict(project.load().falsifiers[0].raw)
    project.contract(
        usual,
        {**usual, "id": "FALSIFY-SMALL-002", "subjects": {"live": {"numbers": "far-away"}}},
        {**usual, "id": "FALSIFY-SMALL-003", "needs": {"gpu": "==1.0"}},
        {**usual, "id": "FALSIFY-SMALL-004", "check": "small_checks.nowhere:f"},
        {**usual, "id": "FALSIFY-SMALL-005", "needs": {"live": {"modules": ["json", "no_such_module"]}}},
    )
    ended = project.pv("doctor")
    assert ended.code == Exit.ACCEPTED
    assert f"Python {sys.version.split()[0]}" in ended.out
    for level in ("algorithm", "functional", "live"):
        assert f"can be judged  small-v1#{ID} at {level} level\n" in ended.out
    assert (
        "cannot         small-v1#FALSIFY-SMALL-002 at live level: subject far-away is not on this host"
        in ended.out
    )
    assert "small-v1#FALSIFY-SMALL-003 at live level: it needs a GPU of compute capability ==1.0" in ended.out
    assert "small-v1#FALSIFY-SMALL-004 at live level: module small_checks.nowhere is in none" in ended.out
    assert "can be judged  small-v1#FALSIFY-SMALL-005 at functional level\n" in ended.out
    assert "small-v1#FALSIFY-SMALL-005 at live level: it needs the module no_such_module, not" in ended.out
    assert project.evidence() == {}


def test_json_is_alone(project: Project) -> None:
    document = project.pv("doctor", "--json").json
    assert {row["level"]: row["judgeable"] for row in document["levels"]} == dict.fromkeys(
        ("algorithm", "functional", "live"), True
    )
    assert "PyYAML" in document["versions"]


def test_outside_of_a_project_it_still_looks_at_the_host(project: Project) -> None:
    (project.root / "pv.toml").unlink()
    ended = project.pv("doctor")
    assert ended.code == Exit.ACCEPTED
    assert "none here or above" in ended.out


def test_both_forms_say_the_same(project: Project) -> None:
    document = project.pv("doctor", "--format", "json").json
    assert f"Python {document['host']['python']}" in project.pv("doctor", "--format", "text").out
