from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pv.evidence import seal
from pv.exits import Exit
from tests.pv.conftest import Project

GATE = "GATE-SMALL-001"
WHOLE: dict[str, Any] = {
    "id": "FALSIFY-SMALL-001",
    "rule": "The numbers are nearly whole",
    "prediction": "none lies further than a quarter from a whole one",
    "if_fails": "they were scaled",
    "check": "small_checks.wholeness:wholeness",
    "subjects": {"functional": {"numbers": "stand-in"}, "live": {"numbers": "shipped"}},
    "expect": ["max(distance) <= 0.25", "count(distance) == expected"],
    "counter_examples": ["one_half", "one_missing"],
}
SCORE: dict[str, Any] = {
    "id": "FALSIFY-SMALL-002",
    "rule": "The score is good",
    "prediction": "above half",
    "if_fails": "it is luck",
    "check": "small_checks.noise:score",
    "subjects": {"functional": {"numbers": "stand-in"}},
    "expect": ["score >= 50.0 and score <= 60.0", "samples >= 1"],
    "counter_examples": ["inflated"],
}
CLAUSE: dict[str, Any] = {
    "id": GATE,
    "rule": "Numbers and score hold together",
    "prediction": "whole numbers, and a score that is not too good",
    "if_fails": "do not ship",
    "basis": {
        "whole": {"falsifier": "FALSIFY-SMALL-001", "metric": "distance"},
        "rated": {"falsifier": "small-v1#FALSIFY-SMALL-002", "metric": "score"},
    },
    "expect": ["max(whole) <= 0.25", "rated <= 55.0"],
    "counter_examples": ["whole.one_half", "rated.inflated"],
    "ship_blocking": True,
}


@pytest.fixture(scope="module")
def gated_once(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("gated") / "project")
    made.contract(WHOLE, SCORE, CLAUSE)
    ended = made.pv("discharge", "FALSIFY-SMALL-001", "FALSIFY-SMALL-002")
    assert ended.code == Exit.ACCEPTED, ended.said
    return made


@pytest.fixture
def gated(gated_once: Project, tmp_path: Path) -> Project:
    return gated_once.copy(tmp_path / "gated")


def test_a_gate_without_evidence_declines_and_says_what_to_run(project: Project) -> None:
    project.contract(WHOLE, SCORE, CLAUSE)
    assert project.status(GATE)[0] == "UNBOUND"
    ended = project.pv("discharge", GATE)
    assert ended.code == Exit.DECLINED
    assert "its basis small-v1#FALSIFY-SMALL-002 is UNBOUND" in ended.said
    assert "pv discharge small-v1#FALSIFY-SMALL-002" in ended.said
    assert project.evidence() == {}


def test_a_gate_judges_what_others_measured_and_names_the_records(gated: Project) -> None:
    ended = gated.pv("discharge", GATE)
    assert ended.code == Exit.ACCEPTED, ended.said
    assert "2 of 2 counter-examples" in ended.out
    assert gated.pv("evidence", "verify").code == Exit.ACCEPTED
    # The score has no live subject: the gate is no better than the least that it cites.
    assert gated.status(GATE)[0] == "FUNCTIONAL"
    (path,) = [name for name in gated.evidence() if GATE in name and "functional" in name]
    basis = json.loads(gated.evidence()[path])["predicate"]["basis"]
    assert basis["whole"]["level"] == "live"
    assert [cited["record"] for cited in basis["rated"]["records"]] == [
        "small-v1/FALSIFY-SMALL-002/functional-stand-in-cpu.json",
        "small-v1/FALSIFY-SMALL-002/algorithm-stand-in-cpu.json",
    ]
    again = gated.pv("discharge", GATE)
    assert "fresh" in again.out


def test_a_gate_fails_by_its_own_rule(gated: Project) -> None:
    gated.contract(WHOLE, SCORE, CLAUSE | {"expect": ["max(whole) <= 0.2", "rated <= 55.0"]})
    ended = gated.pv("discharge", GATE)
    assert ended.code == Exit.REJECTED
    assert "a threshold of 0.25 would have passed" in ended.out
    assert gated.status(GATE)[0] == "FALSIFIED"


def test_a_gate_that_cannot_see_a_defect_of_its_basis_is_vacuous(gated: Project) -> None:
    gated.contract(WHOLE, SCORE, CLAUSE | {"counter_examples": ["whole.one_half", "whole.one_missing"]})
    ended = gated.pv("discharge", GATE)
    assert ended.code == Exit.REJECTED
    assert "NOT CAUGHT  whole.one_missing" in ended.out
    assert gated.status(GATE)[0] == "VACUOUS"


def test_a_gate_goes_stale_with_its_basis_and_comes_back_with_it(gated: Project) -> None:
    gated.pv("discharge", GATE)
    gated.edit("small_checks/noise.py", "- 2.0))", "- 1.0))")
    status, reason = gated.status(GATE)
    assert status == "STALE"
    assert "its basis small-v1#FALSIFY-SMALL-002 is STALE" in reason
    assert "small_checks/noise.py" in reason
    gated.edit("small_checks/noise.py", "- 1.0))", "- 2.0))")
    assert gated.status(GATE)[0] == "FUNCTIONAL"
    # Measured again with the same result, there is nothing new for the gate to judge.
    gated.pv("discharge", "--force", "FALSIFY-SMALL-002")
    assert gated.status(GATE)[0] == "FUNCTIONAL"
    gated.edit("small_checks/noise.py", "- 2.0))", "- 1.0))")
    gated.pv("discharge", "FALSIFY-SMALL-002")
    status, reason = gated.status(GATE)
    assert status == "STALE"
    assert "rated" in reason
    assert gated.pv("discharge", GATE).code == Exit.ACCEPTED


def test_a_gate_does_not_rest_on_what_is_falsified(gated: Project) -> None:
    gated.pv("discharge", GATE)
    gated.contract(WHOLE | {"expect": ["max(distance) <= 0.2", *WHOLE["expect"][1:]]}, SCORE, CLAUSE)
    gated.pv("discharge", "FALSIFY-SMALL-001")
    status, reason = gated.status(GATE)
    assert status == "STALE"
    assert "its basis small-v1#FALSIFY-SMALL-001 is FALSIFIED" in reason
    assert gated.pv("discharge", GATE).code == Exit.DECLINED


@pytest.mark.parametrize(
    ("cited", "why"),
    [
        ({"falsifier": "FALSIFY-SMALL-009", "metric": "x"}, "is no falsifier of this project"),
        ({"falsifier": GATE, "metric": "whole"}, "it is a gate itself"),
        ({"falsifier": "FALSIFY-SMALL-001", "metric": "other"}, "declares no metric other"),
        ({"falsifier": "FALSIFY-SMALL-002", "metric": "score", "level": "live"}, "no evidence at live level"),
    ],
)
def test_a_basis_that_is_not_there_is_named_at_its_place(
    gated: Project, cited: dict[str, str], why: str
) -> None:
    gated.contract(WHOLE, SCORE, CLAUSE | {"basis": {"whole": cited}, "expect": ["max(whole) <= 1"]})
    status, reason = gated.status(GATE)
    assert status == "UNBOUND"
    assert why in reason
    ended = gated.pv("discharge", GATE)
    assert ended.code in {Exit.DECLINED, Exit.ERROR}
    assert why in ended.said


LIVE: dict[str, Any] = {
    **CLAUSE,
    "basis": {"whole": {"falsifier": "FALSIFY-SMALL-001", "metric": "distance"}},
    "expect": ["max(whole) <= 0.25"],
    "counter_examples": ["whole.one_half"],
}


def test_a_gate_is_live_only_while_its_basis_is(project: Project) -> None:
    # Where the only level is the live one, its two records say the same.
    project.contract(WHOLE | {"subjects": {"live": {"numbers": "shipped"}}}, LIVE)
    assert project.pv("discharge", "FALSIFY-SMALL-001", GATE).code == Exit.ACCEPTED
    assert project.status(GATE)[0] == "DISCHARGED"
    project.record("live").unlink()
    assert project.status()[0] == "PARTIAL_ALGORITHM_LEVEL"
    status, reason = project.status(GATE)
    assert status == "STALE", reason


def test_a_gate_is_not_judged_at_a_lower_level_than_was_asked_for(gated: Project) -> None:
    ended = gated.pv("discharge", GATE, "--level", "live")
    assert ended.code == Exit.DECLINED, ended.said
    assert "evidence at functional level, and live was asked for" in ended.said
    assert gated.pv("discharge", GATE, "--level", "algorithm").code == Exit.ACCEPTED
    assert gated.status(GATE)[0] == "PARTIAL_ALGORITHM_LEVEL"


@pytest.mark.parametrize("forged", ["measurements", "counter_examples", "place", "basis"])
def test_a_gate_that_quotes_other_than_was_measured_supports_nothing(gated: Project, forged: str) -> None:
    assert gated.pv("discharge", GATE).code == Exit.ACCEPTED
    folder = gated.root / "evidence" / "small-v1" / GATE
    level = "algorithm" if forged == "counter_examples" else "functional"
    path = folder / f"{level}-no-subject-cpu.json"
    whole = json.loads(path.read_bytes())
    predicate = whole["predicate"]
    if forged == "measurements":
        predicate["measurements"]["whole"]["values"][0] += 0.001
    elif forged == "counter_examples":
        plant = predicate["counter_examples"]["whole.one_half"]["measurements"]["whole"]
        plant["values"] = [*plant["values"][:-1], 0.4]
    elif forged == "place":
        predicate["place"] |= {"level": "live", "base_level": "live"}
    else:
        predicate["basis"]["whole"]["falsifier"] = "small-v1#FALSIFY-SMALL-003"
    predicate["seal"] = seal(whole)
    path = path.with_name(path.name.replace("functional", "live")) if forged == "place" else path
    path.write_text(json.dumps(whole), encoding="utf-8")
    status, reason = gated.status(GATE)
    assert status == "UNBOUND"
    assert f"section {forged}" in reason
