from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.check import Metric
from pv.expression import measurements_to_json
from pv.expression.values import Series
from pv.series_differences import margins_of, series_differences
from pv.verdict import judge

RULE = ["max(x) <= 1.0", "count(x) == 3 and all(n == 2)"]
METRICS = {"x": Metric("x"), "n": Metric("n", kind="count"), "spare": Metric("spare")}


def measured(x: list[Any], n: list[Any], spare: list[Any]) -> dict[str, Series]:
    return {
        "x": Series(tuple(x), tuple("abc"[: len(x)])),
        "n": Series(tuple(n), ()),
        "spare": Series(tuple(spare), ()),
    }


BEFORE = measured([0.5, 0.75, 0.25], [2, 2], [1.0])
VERDICT = judge(RULE, BEFORE, METRICS).to_json()


def kinds(after: dict[str, Series]) -> dict[str, str]:
    found = series_differences(measurements_to_json(BEFORE), measurements_to_json(after), VERDICT)
    return {each.metric: each.kind for each in found}


def test_margins_are_of_values_and_equality_has_none() -> None:
    assert margins_of(VERDICT) == {"x": 0.25, "n": 0.0}


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (measured([0.5, 0.75, 0.25], [2, 2], [1.0]), ("equal", "equal", "equal")),
        (measured([0.5, 0.9, 0.25], [2, 2], [3.0]), ("within", "equal", "unjudged")),
        (measured([0.5, 1.0, 0.25], [2, 2], [1.0]), ("beyond", "equal", "equal")),
        (measured([0.5, 0.75], [2, 2], [1.0]), ("beyond", "equal", "equal")),
        (measured([0.5, 0.75, 0.25], [2, 3], [1.0]), ("equal", "beyond", "equal")),
        (measured([0.5, float("nan"), 0.25], [2, 2], [1.0]), ("beyond", "equal", "equal")),
        (measured([0.5, 0.75, 0.25], [2, 2, 2], []), ("equal", "beyond", "unjudged")),
    ],
)
def test_a_difference_is_weighed_by_the_margin(after: dict[str, Series], expected: tuple[str, ...]) -> None:
    assert tuple(kinds(after)[name] for name in ("x", "n", "spare")) == expected


def test_where_the_largest_difference_is_is_said() -> None:
    after = measured([0.5, 0.625, 0.3125], [2, 2], [1.0])
    found = series_differences(measurements_to_json(BEFORE), measurements_to_json(after), VERDICT)
    (x,) = [each for each in found if each.metric == "x"]
    assert (x.largest, x.label, x.differing, x.samples) == (0.125, "b", 2, 3)


@given(st.lists(st.floats(0, 0.99), min_size=3, max_size=3))
def test_what_is_within_the_margin_cannot_have_turned_the_verdict(x: list[float]) -> None:
    after = measured(x, [2, 2], [1.0])
    if kinds(after)["x"] in {"equal", "within"}:
        assert judge(RULE, after, METRICS).outcome == VERDICT["outcome"]
