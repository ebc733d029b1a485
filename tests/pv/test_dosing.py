from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.check import CheckError
from pv.dosing import KINDS, PLACES, Dosed, dosed, dosed_series, smaller
from pv.evidence import seal
from pv.exits import Exit
from pv.expression.values import Series

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"
NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20)


def dose(kind: str, amount: float, place: int = 0) -> Dosed:
    return Dosed(f"x.{kind}", amount, place, "x", on_series=True)


@given(NUMBERS, st.sampled_from(sorted(KINDS)), st.floats(1e-3, 10), st.integers(0, 9))
def test_the_same_dose_is_the_same_damage_and_other_series_stay(
    numbers: list[float], kind: str, amount: float, place: int
) -> None:
    before = {"x": Series(tuple(numbers)), "y": Series((1.0,))}
    first, second = (dosed_series(before, dose(kind, amount, place)) for _ in range(2))
    assert first == second
    assert first["y"] == before["y"]
    assert before["x"] == Series(tuple(numbers))


@given(NUMBERS, st.integers(1, 30), st.integers(0, 9))
def test_dropped_samples_are_gone_with_their_labels_and_the_others_keep_their_order(
    numbers: list[float], amount: int, place: int
) -> None:
    labels = tuple(map(str, range(len(numbers))))
    left = dosed_series({"x": Series(tuple(numbers), labels)}, dose("dropped_samples", amount, place))["x"]
    assert len(left) == max(0, len(numbers) - amount)
    assert [int(str(label)) for label in left.labels] == sorted(int(str(label)) for label in left.labels)
    assert all(
        numbers[int(str(label))] == value for label, value in zip(left.labels, left.values, strict=True)
    )


@given(NUMBERS, st.floats(1e-3, 10), st.integers(0, 9))
def test_one_sample_changes_by_what_was_asked_and_noise_stays_within_it(
    numbers: list[float], amount: float, place: int
) -> None:
    for kind, sign in (("raise", 1.0), ("lower", -1.0)):
        after = dosed_series({"x": Series(tuple(numbers))}, dose(kind, amount, place))["x"].values
        changed = [i for i, (old, new) in enumerate(zip(numbers, after, strict=True)) if old != new]
        assert len(changed) == 1
        assert after[changed[0]] == numbers[changed[0]] + sign * amount
    noisy = dosed_series({"x": Series(tuple(numbers))}, dose("noise", amount, place))["x"].values
    for old, new in zip(numbers, noisy, strict=True):
        assert isinstance(new, float)
        assert abs(new - old) <= amount + 1e-9 * abs(old)


def test_a_scaled_sample_is_multiplied() -> None:
    assert dosed_series({"x": Series((2.0,))}, dose("scale", 0.5))["x"] == Series((3.0,))


def test_places_differ() -> None:
    before = {"x": Series(tuple(map(float, range(100))))}
    assert len({dosed_series(before, dose("raise", 0.5, place))["x"].values for place in range(9)}) > 5


def test_words_have_no_smaller_dose() -> None:
    with pytest.raises(CheckError, match="'red' is no number"):
        dosed_series({"x": Series(("red",))}, dose("noise", 0.5))


def test_smaller_amounts_fall_and_counts_stay_whole() -> None:
    assert list(smaller(20, finer=True)) == [10, 5, 2, 1]
    assert list(smaller(8192, finer=False)) == [819, 81, 8]
    assert list(smaller(1, finer=False)) == []
    assert list(smaller(1e-3, finer=False))[:3] == [1e-4, 1e-5, 1e-6]
    assert list(smaller(1e-3, finer=True))[:4] == [5e-4, 2e-4, 1e-4, 5e-5]


def required(project: Project, **kinds: Any) -> None:
    project.contract(must_detect={name.replace("__", "."): amount for name, amount in kinds.items()})


def test_what_must_be_detected_is_planted_at_every_place(project: Project) -> None:
    required(project, moved=0.4, distance__dropped_samples=1)
    ended = project.pv("discharge", ID)
    assert ended.code == Exit.ACCEPTED, ended.said
    assert "caught      2 of 2 counter-examples: one_half, one_missing\n" in ended.out
    assert "detects     6 of 6 doses: moved=0.4, distance.dropped_samples=1\n" in ended.out
    planted = json.loads(project.record("algorithm").read_bytes())["predicate"]["counter_examples"]
    doses = {name: plant for name, plant in planted.items() if "dose" in plant}
    assert sorted(doses) == sorted(
        [f"moved=0.4@{place}" for place in range(PLACES)]
        + [f"distance.dropped_samples=1@{place}" for place in range(PLACES)]
    )
    assert all(plant["caught"] for plant in doses.values())
    assert {plant["of"] for plant in doses.values()} == {"numbers", "distance"}
    assert project.status()[0] == "DISCHARGED"
    assert project.pv("evidence", "verify").code == Exit.ACCEPTED


def test_a_rule_that_is_blind_to_it_cannot_be_discharged(project: Project) -> None:
    required(project, moved=0.01)
    ended = project.pv("discharge", ID)
    assert ended.code == Exit.REJECTED, ended.said
    assert "it does not notice its counter-example moved=0.01@" in ended.said
    assert project.status()[0] == "VACUOUS"


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        ({"melted": 1}, "has no dose 'melted'"),
        ({"distance.melted": 1}, "has no dose 'distance.melted'"),
        ({"numbers.scale": 1e-3}, "has no dose 'numbers.scale'"),
        ({"moved": 0}, "moved"),
        ({"moved": -1.0}, "moved"),
        ({"moved": "much"}, "moved"),
    ],
)
def test_a_dose_that_nobody_can_plant_is_refused_at_its_place(
    project: Project, kinds: dict[str, Any], message: str
) -> None:
    project.contract(must_detect=kinds)
    ended = project.pv("discharge", ID)
    assert ended.code in {Exit.ERROR, Exit.REJECTED}, ended.said
    assert message in ended.said
    assert "contracts/small-v1.yaml:" in ended.said


def test_another_requirement_makes_the_evidence_stale(project: Project) -> None:
    required(project, moved=0.4)
    assert project.pv("discharge", ID).code == Exit.ACCEPTED
    required(project, moved=0.45)
    assert project.status()[0] == "STALE"


def test_a_damaged_series_that_its_dose_does_not_make_is_not_believed(project: Project) -> None:
    required(project, distance__raise=0.3)
    assert project.pv("discharge", ID).code == Exit.ACCEPTED
    path = project.record("algorithm")
    whole = json.loads(path.read_bytes())
    plant = whole["predicate"]["counter_examples"]["distance.raise=0.3@0"]
    plant["measurements"]["distance"]["values"] = [0.5] * len(plant["measurements"]["distance"]["values"])
    whole["predicate"]["seal"] = seal(whole)
    path.write_text(json.dumps(whole), encoding="utf-8")
    ended = project.pv("evidence", "verify")
    assert ended.code != Exit.ACCEPTED
    assert "counter_examples.distance.raise=0.3@0" in ended.said


def test_only_what_the_check_has_is_dosed(project: Project) -> None:
    from pv.binding import bind_falsifier

    required(project, moved=0.4)
    falsifier = project.load().falsifiers[0]
    names = dosed(falsifier, bind_falsifier(falsifier, project.config()))
    assert list(names) == [f"moved=0.4@{place}" for place in range(PLACES)]
