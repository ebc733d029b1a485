from __future__ import annotations

import json
from pathlib import Path

import pytest

from pv.detection import Limit, contradiction
from pv.evidence import seal
from pv.exits import Exit
from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"


def test_the_limit_is_the_last_dose_down_to_which_all_were_noticed() -> None:
    limit = Limit("scale", "model", 3, ((1e-2, 3), (1e-3, 3), (1e-4, 1), (1e-5, 0)))
    assert (limit.amount, limit.missed_below) == (1e-3, (1e-4, 1 - 1 / 3))
    assert str(limit) == "scale: 0.001 (of 0.0001, 67% is missed)"
    # One that is noticed again further down does not count.
    assert Limit("scale", "model", 3, ((1e-2, 3), (1e-3, 2), (1e-4, 3))).amount == 1e-2
    assert (
        str(Limit("flipped_bytes", "model", 3, ((1, 3),))) == "flipped_bytes: 1, the smallest that was tried"
    )
    assert Limit("scale", "model", 3, ((1e-2, 1),)).amount is None


@pytest.fixture(scope="module")
def measured_once(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("measured") / "project")
    made.contract(must_detect={"moved": 0.4, "distance.dropped_samples": 1})
    ended = made.pv("discharge", ID, "--limits")
    assert ended.code == Exit.ACCEPTED, ended.said
    return made


@pytest.fixture
def measured(measured_once: Project, tmp_path: Path) -> Project:
    return measured_once.copy(tmp_path / "measured")


def test_limits_are_measured_where_that_is_asked_for_and_explained(measured: Project) -> None:
    found = json.loads(measured.record("algorithm").read_bytes())["predicate"]["detection"]
    assert found["moved"] == {
        "of": "numbers",
        "places": 3,
        # The stand-in has one number that lies an eighth off, and the rule allows a quarter.
        "steps": [{"amount": 0.4, "noticed": 3}, {"amount": 0.04, "noticed": 0}],
    }
    assert found["distance.dropped_samples"]["steps"] == [{"amount": 1, "noticed": 3}]
    ended = measured.pv("explain", ID)
    assert "moved: 0.4 (of 0.04, 100% is missed)" in ended.out
    assert "required    distance.dropped_samples of 1" in ended.out
    page = measured.pv("status", "--format", "markdown").out
    assert "limit of detection" in page
    assert "moved: 0.4 (of 0.04, 100% is missed)" in page
    rows = measured.pv("status", ID, "--format", "json").json["falsifiers"]
    assert rows[0]["limits"] == {"moved": 0.4, "distance.dropped_samples": 1}
    assert measured.pv("evidence", "verify").code == Exit.ACCEPTED


def test_limits_that_are_still_good_are_kept_and_others_are_not(measured: Project) -> None:
    assert measured.pv("discharge", ID, "--force").code == Exit.ACCEPTED
    assert "detection" in json.loads(measured.record("algorithm").read_bytes())["predicate"]
    measured.edit("small_checks/wholeness.py", "distance(number)", "abs(distance(number))")
    assert measured.pv("discharge", ID).code == Exit.ACCEPTED
    assert "detection" not in json.loads(measured.record("algorithm").read_bytes())["predicate"]
    assert f"pv discharge --limits small-v1#{ID}" in measured.pv("explain", ID).out


def test_fresh_evidence_without_limits_is_measured_again(project: Project) -> None:
    project.contract(must_detect={"moved": 0.4})
    assert project.pv("discharge", ID).code == Exit.ACCEPTED
    assert project.pv("sweep", "--limits", "contracts").code == Exit.ACCEPTED
    assert "detection" in json.loads(project.record("algorithm").read_bytes())["predicate"]
    before = project.evidence()
    assert project.pv("sweep", "--limits", "contracts").code == Exit.ACCEPTED
    assert project.evidence() == before  # nothing is measured twice


@pytest.mark.parametrize("forged", ["noticed", "amount", "order"])
def test_a_limit_that_the_counter_examples_do_not_bear_out_is_not_believed(
    measured: Project, forged: str
) -> None:
    path = measured.record("algorithm")
    whole = json.loads(path.read_bytes())
    steps = whole["predicate"]["detection"]["moved"]["steps"]
    if forged == "noticed":
        steps[0]["noticed"] = 2
    elif forged == "amount":
        steps[0]["amount"] = 0.3
    else:
        steps.append(dict(steps[0]))
    assert contradiction(whole["predicate"]) == "moved"
    whole["predicate"]["seal"] = seal(whole)
    path.write_text(json.dumps(whole), encoding="utf-8")
    ended = measured.pv("evidence", "verify")
    assert ended.code != Exit.ACCEPTED
    assert "section detection.moved contradicts the counter-examples" in ended.said
