from __future__ import annotations

from pv.expression import measurements_from_json
from pv.notes import notes_in, notes_of
from pv.properties.metrics import METRICS


def test_a_witness_is_told_and_none_is_not() -> None:
    values = {metric.name: {"values": ["x=3" if metric.kind == "text" else 1]} for metric in METRICS}
    assert list(notes_of(["violations == 0"], measurements_from_json(values))) == [
        "the smallest violation: x=3"
    ]
    values["witness"] = {"values": ["none"]}
    assert list(notes_of(["violations == 0"], measurements_from_json(values))) == []


def test_a_witness_of_another_check_is_its_own_affair() -> None:
    assert list(notes_of([], measurements_from_json({"witness": {"values": ["x=3"]}}))) == []


def test_samples_that_stand_twice_are_still_told() -> None:
    series = {"values": [1, 2], "labels": ["a", "a"]}
    predicate = {"rule": {"lines": ["count(error) == 2"]}, "measurements": {"error": series}}
    assert ["more than once" in note for note in notes_in(predicate)] == [True]
