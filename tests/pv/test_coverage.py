from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import yaml

from pv.coverage import KINDS, Kind, count, cover, share

if TYPE_CHECKING:
    from tests.pv.conftest import Project

BARE: Mapping[str, Any] = {"rule": "r", "prediction": "p", "if_fails": "f"}


def oblige(project: Project, *obligations: Mapping[str, Any], covers: Sequence[str] = ()) -> None:
    """Give the contract obligations; its first falsifier covers some. What that makes stale is the point."""
    path = project.root / "contracts" / "small-v1.yaml"
    document = yaml.safe_load(path.read_text())
    document["proof_obligations"] = [{"type": "invariant", "property": "p", **one} for one in obligations]
    document["falsification_tests"][0]["covers"] = list(covers)
    path.write_text(yaml.safe_dump(document, sort_keys=False))


def kinds(project: Project) -> list[tuple[str | None, Kind]]:
    return [(one.obligation.id, one.kind) for one in cover(project.load(), project.config()).obligations]


def test_naming_is_not_covering(project: Project) -> None:
    oblige(project, {"id": "A"}, {"id": "B"}, {}, covers=["A"])
    assert kinds(project) == [("A", "never run"), ("B", "uncovered"), (None, "uncovered")]
    reasons = [one.reason for one in cover(project.load(), project.config()).obligations]
    assert reasons[0].startswith("FALSIFY-SMALL-001: never run")
    assert reasons[1:] == ["no falsifier names it", "it has no id, so that nothing can name it"]


def test_what_ran_covers_until_it_is_stale(project: Project) -> None:
    oblige(project, {"id": "A"}, covers=["A"])
    assert project.pv("discharge", "FALSIFY-SMALL-001").code == 0
    assert kinds(project) == [("A", "live")]
    project.edit("small_checks/scale.py", "1", "2")
    assert kinds(project) == [("A", "stale")]


def test_the_levels_are_told_apart(project: Project) -> None:
    oblige(project, {"id": "A"}, covers=["A"])
    assert project.pv("discharge", "FALSIFY-SMALL-001", "--level", "functional").code == 0
    assert kinds(project) == [("A", "functional")]
    coverage = cover(project.load(), project.config()).obligations
    assert [share(coverage, level) for level in ("algorithm", "functional", "live")] == [1, 1, 0]


def test_a_falsified_falsifier_decides_and_else_the_best_one(project: Project) -> None:
    bound = {
        **BARE,
        "check": "small_checks.wholeness:wholeness",
        "subjects": {"live": {"numbers": "shipped"}},
        "expect": ["max(distance) <= 0.25"],
        "counter_examples": ["one_half"],
        "covers": ["A"],
    }
    project.contract(
        {"id": "UNBOUND", **BARE, "covers": ["A", "B"]}, {**bound, "id": "VACUOUS", "counter_examples": []}
    )
    oblige(project, {"id": "A"}, {"id": "B"}, covers=["A", "B"])
    assert kinds(project) == [("A", "vacuous"), ("B", "unbound")]
    project.contract(
        {"id": "UNBOUND", **BARE},
        {**bound, "id": "FAILS", "expect": ["max(distance) <= 0.01"]},
        {**bound, "id": "PASSES"},
    )
    oblige(project, {"id": "A"})
    project.pv("discharge", "contracts")
    coverage = cover(project.load(), project.config())
    (one,) = coverage.obligations
    assert (one.kind, one.falsifiers) == ("falsified", ("FAILS", "PASSES"))


def test_what_needs_what_is_not_here_is_counted_apart(project: Project) -> None:
    project.contract(
        needs={"gpu": ">=8.0"}, subjects={"live": {"numbers": "shipped"}}, counter_examples=["one_half"]
    )
    oblige(project, {"id": "A"}, {"id": "B"}, covers=["A"])
    first, second = cover(project.load(), project.config()).obligations
    assert (first.kind, second.kind) == ("declined", "uncovered")
    assert first.reason == (
        "FALSIFY-SMALL-001: never run: no evidence; on a host with a GPU of compute capability >=8.0,"
        " then: pv discharge small-v1#FALSIFY-SMALL-001"
    )
    assert share([first, second], "algorithm") == 0
    lines = project.pv("coverage").out.splitlines()
    assert "1 not covered at functional level or above:" in lines
    assert "1 declined until somebody has what it needs:" in lines


def test_one_that_a_stand_in_could_judge_is_not_declined(project: Project) -> None:
    project.contract(needs={"live": {"gpu": ">=8.0"}})
    oblige(project, {"id": "A"}, covers=["A"])
    assert kinds(project) == [("A", "never run")]


def test_excluded_falsifiers_cover_nothing(project: Project) -> None:
    project.contract({"id": "X", **BARE, "excluded": "a process rule"})
    oblige(project, {"id": "A"}, covers=["A"])
    assert kinds(project) == [("A", "uncovered")]


def test_what_does_not_apply_is_outside_and_what_is_said_to_be_proved_covers_nothing(
    project: Project,
) -> None:
    oblige(
        project,
        {"id": "A", "not_applicable": True, "na_reason": "no such part", "na_owner": "me"},
        {"id": "B", "lean": {"theorem": "t", "status": "proved"}},
        {"id": "C", "lean": {"theorem": "t", "status": "proved"}},
        covers=["C"],
    )
    assert kinds(project) == [("A", "not applicable"), ("B", "proved"), ("C", "never run")]
    coverage = cover(project.load(), project.config()).obligations
    assert share(coverage, "algorithm") == Fraction(0, 2)
    assert share(coverage[:1], "algorithm") is None
    assert list(count(coverage)) == [
        kind for kind in KINDS if kind in {"not applicable", "proved", "never run"}
    ]
