from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.commitment import commitment, leaves_of, opened
from pv.errors import EvidenceError
from pv.expression import measurements_to_json
from pv.expression.values import Series

MEASURED = {
    "cosine": {"values": [0.5, 1.0], "labels": ["a", "b"]},
    "differing": {"values": [3, 0], "labels": ["a", "b"]},
    "expected": {"values": [2]},
}
series = st.lists(
    st.tuples(st.floats(allow_nan=True) | st.integers(), st.none() | st.sampled_from("abcdef")), max_size=12
).map(lambda pairs: Series(tuple(v for v, _ in pairs), tuple(label for _, label in pairs)))


def test_a_leaf_is_a_label_and_all_that_was_recorded_under_it() -> None:
    assert [(leaf.label, leaf.samples) for leaf in leaves_of(MEASURED)] == [
        ("a", {"cosine": (0.5,), "differing": (3,)}),
        ("b", {"cosine": (1.0,), "differing": (0,)}),
        (None, {"expected": (2,)}),
    ]


def test_measurements_without_two_labels_have_nothing_to_draw_from() -> None:
    assert commitment({"expected": {"values": [2]}}) is None
    assert commitment({"cosine": {"values": [1.0], "labels": ["a"]}}) is None
    assert commitment(MEASURED) is not None


@given(st.dictionaries(st.sampled_from("xyz"), series, max_size=3), st.data())
def test_each_leaf_is_shown_to_be_of_the_root_and_no_other_is(
    measured: dict[str, Series], data: st.DataObject
) -> None:
    stated = json.loads(json.dumps(measurements_to_json(measured)))
    section = commitment(stated)
    if section is None:
        return
    leaves = leaves_of(stated)
    assert section["leaves"] == len(leaves)
    index = data.draw(st.integers(0, len(leaves) - 1))
    shown = opened(leaves, index)
    assert shown.leads_to(section["root"], len(leaves))
    name = min(shown.leaf.samples)
    forged = [*leaves]
    forged[index] = type(shown.leaf)(
        shown.leaf.label, {**shown.leaf.samples, name: (*shown.leaf.samples[name], 7)}
    )
    assert not opened(forged, index).leads_to(section["root"], len(leaves))


@pytest.mark.parametrize(
    "malformed", [{"x": 3}, {"x": {"labels": []}}, {"x": {"values": [1, 2], "labels": ["a"]}}, {"x": None}]
)
def test_what_is_no_measurement_is_an_error_of_evidence(malformed: Any) -> None:
    with pytest.raises(EvidenceError, match="malformed"):
        leaves_of(malformed)
