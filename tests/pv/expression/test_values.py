from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.check import CheckError, Metric
from pv.errors import EvidenceError
from pv.expression import Series, measurements_from_json, measurements_to_json, plain, series_of
from pv.expression.values import faults

_values = st.one_of(
    st.booleans(),
    st.integers(),
    st.just(10**30),
    st.just(-(2**20_000)),
    st.floats(),
    st.text(),
    st.sampled_from(["NaN", "Infinity", "-Infinity", "nan", '{"text": "NaN"}']),
)


def _same(one: Any, other: object) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return repr(one) == repr(other)
    return bool(one == other)


@given(st.lists(st.tuples(_values, st.one_of(st.none(), st.text()))))
def test_measurements_come_back_from_json_exactly(samples: list[tuple[Any, str | None]]) -> None:
    series = series_of(samples)
    text = json.dumps(measurements_to_json({"x": series}), allow_nan=False)
    back = measurements_from_json(json.loads(text))["x"]
    assert back.labels == series.labels
    assert len(back) == len(series)
    assert all(_same(one, other) for one, other in zip(back.values, series.values, strict=True))


def test_json_is_sorted_and_leaves_absent_labels_out() -> None:
    document = measurements_to_json({"b": Series((math.nan, 1)), "a": Series(("NaN",), ("l",))})
    assert list(document) == ["a", "b"]
    assert document == {"a": {"values": [{"text": "NaN"}], "labels": ["l"]}, "b": {"values": ["NaN", 1]}}


@pytest.mark.parametrize(
    "document",
    [
        [],
        None,
        {"x": []},
        {"x": {}},
        {"x": {"values": "abc"}},
        {"x": {"values": [None]}},
        {"x": {"values": [[1]]}},
        {"x": {"values": [{"integer": "zz"}]}},
        {"x": {"values": [1], "labels": ["a", "b"]}},
        {"x": {"values": [1], "labels": [1]}},
        {"x": {"values": [1], "extra": 1}},
    ],
)
def test_malformed_json_is_an_evidence_error(document: Any) -> None:
    with pytest.raises(EvidenceError):
        measurements_from_json(document)


def test_plain_unwraps_scalars_of_numpy_and_refuses_the_rest() -> None:
    numpy = pytest.importorskip("numpy", reason="numpy is not installed: it is an extra")
    for scalar, kind in [
        (numpy.float32(0.5), float),
        (numpy.float64(0.5), float),
        (numpy.int64(3), int),
        (numpy.bool_(True), bool),
        (numpy.str_("a"), str),
        (numpy.array(0.5), float),
    ]:
        assert type(plain(scalar)) is kind
    for other in (None, [1.0], b"a", 1j):
        with pytest.raises(CheckError):
            plain(other)


def test_labels_pair_with_values() -> None:
    with pytest.raises(CheckError):
        Series((1, 2), ("a",))


COSINE = Metric("cosine", low=-1, high=1, slack=1e-12)
COUNT = Metric("n", kind="count", high=10)
TEXT = Metric("word", kind="text")


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        (COSINE, 1.0),
        (COSINE, -1),
        (COSINE, 1 + 5e-13),
        (COSINE, 1 + 2**-52),
        (COUNT, 0),
        (COUNT, 10),
        (Metric("n", kind="count"), 10**30),
        (Metric("t"), 1.7976931348623157e308),
        (Metric("t"), -(2**60)),
        (TEXT, ""),
        (TEXT, "NaN"),
    ],
)
def test_possible_samples_have_no_fault(metric: Metric, value: Any) -> None:
    assert not list(faults(metric, Series((value,))))


@pytest.mark.parametrize(
    ("metric", "value", "reason"),
    [
        (COSINE, math.nan, "NaN"),
        (COSINE, math.inf, "inf"),
        (COSINE, -math.inf, "-inf"),
        (COSINE, 1.0001, "above 1"),
        (COSINE, math.nextafter(1 + 1e-12, 2), "above 1"),
        (COSINE, -1.0001, "below -1"),
        (COSINE, True, "bool"),
        (COSINE, "0.9", "text"),
        (COUNT, 3.0, "not a non-negative integer"),
        (COUNT, -1, "not a non-negative integer"),
        (COUNT, 11, "above 10"),
        (COUNT, True, "bool"),
        (COUNT, math.nan, "NaN"),
        (Metric("n", kind="count"), 2**5000, "longer than 4096 bits"),
        (Metric("t"), math.inf, "finite"),
        (TEXT, 1, "int"),
        (TEXT, True, "bool"),
    ],
)
def test_impossible_samples_are_named_with_the_reason(metric: Metric, value: Any, reason: str) -> None:
    good: Any = "good" if metric.kind == "text" else 1
    found = list(faults(metric, Series((good, value, good), ("a", "the culprit", "c"))))
    assert len(found) == 1
    assert "the culprit" in found[0]
    assert reason in found[0]
