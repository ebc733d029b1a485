from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pv.check import Metric
from pv.expression import Case, ComparisonTrace, Series, evaluate, explain, parse

METRICS = {
    metric.name: metric
    for metric in (
        Metric("cosine", low=-1, high=1),
        Metric("time", unit="s"),
        Metric("other", unit="s"),
        Metric("n", kind="count"),
        Metric("word", kind="text"),
    )
}


def trace(text: str, **series: list[Any]) -> tuple[ComparisonTrace, ...]:
    measured = {
        name: Series(tuple(values), tuple(f"{name}{index}" for index in range(len(values))))
        if name != "other"
        else Series(tuple(values))
        for name, values in series.items()
    }
    return explain(parse(text), measured, METRICS)


def test_a_failing_minimum_says_everything() -> None:
    (found,) = trace("min(time) >= 2", time=[3.0, 1.5, 1.0, 1.75, 5.0])
    assert found == ComparisonTrace(
        "min(time) >= 2",
        truth=False,
        left=1.0,
        operator=">=",
        right=2,
        margin=-1,
        relative=-0.5,
        unit="s",
        worst=(Case("time2", 2, 1.0), Case("time1", 1, 1.5), Case("time3", 3, 1.75)),
        would_pass=1.0,
    )


@pytest.mark.parametrize(
    ("text", "margin", "would_pass", "worst"),
    [
        ("min(time) > 1", 0, math.nextafter(1, 0), ["time0", "time1", "time2"]),
        ("1 < min(time)", 0, math.nextafter(1, 0), ["time0", "time1", "time2"]),
        ("max(time) <= 2.5", -0.5, 3.0, ["time2", "time1", "time0"]),
        ("max(time) < 3", 0, math.nextafter(3, 4), ["time2", "time1", "time0"]),
        ("mean(time) >= 3", -1, 2.0, ["time0", "time1", "time2"]),
        ("mean(time) <= 1", -1, 2.0, ["time2", "time1", "time0"]),
        ("sum(time) == 5", -1, 6, ["time2", "time1", "time0"]),
        ("sum(time) == 7", -1, 6, ["time0", "time1", "time2"]),
        ("sum(time) == 6", 0, 6, []),
        ("count(time) > 3", 0, 2, []),
        ("count(time) < 3", 0, 4, []),
        ("last(time) <= 2", -1, 3.0, ["time2"]),
        ("min(time) <= 0", -1, 1.0, []),
        ("max(time) - min(time) <= 1", -1, 2, []),
        ("all(time >= 2)", -1, 1.0, ["time0", "time1", "time2"]),
        ("all(2.5 > time)", -0.5, math.nextafter(3, 4), ["time2", "time1", "time0"]),
        ("all(time == 2)", -1, None, ["time0", "time2", "time1"]),
        ("any(time >= 4)", -1, 3.0, []),
        ("all(time <= other)", -2, None, ["time2", "time1", "time0"]),
        ("all(time <= mean(other))", -2, None, ["time2", "time1", "time0"]),
        ("count(time) == count(other)", 0, None, []),
        ("max(time) != 3", None, None, []),
    ],
)
def test_margin_threshold_and_worst(
    text: str, margin: float | None, would_pass: float | None, worst: list[str]
) -> None:
    (found,) = trace(text, time=[1.0, 2.0, 3.0], other=[1.0, 1.0, 1.0])
    assert found.margin == margin
    assert found.would_pass == would_pass
    assert [case.label for case in found.worst] == worst


def test_chains_and_conjunctions_are_traced_link_by_link() -> None:
    found = trace("0 < time <= 1 and all(n >= 1 and n < 5)", time=[0.5], n=[2, 3])
    assert [one.text for one in found] == ["0 < time", "time <= 1", "all(n >= 1)", "all(n < 5)"]
    assert [one.margin for one in found] == [0.5, 0.5, 1, 2]
    assert all(one.truth for one in found)


def test_below_or_and_not_there_are_values_but_no_margins() -> None:
    found = trace("not time > 3 or all(n > 1)", time=[2.0], n=[1])
    assert [(one.text, one.truth) for one in found] == [
        ("not time > 3 or all(n > 1)", True),
        ("time > 3", False),
    ]
    assert found[1].left == 2.0
    assert all(one.margin is None and one.would_pass is None and not one.worst for one in found)


def test_parts_of_all_that_are_the_same_for_every_sample_are_traced_too() -> None:
    for part in ("not min(n) > 0", "any(n > 1)", "1 < 2", "min(n) > 0"):
        found = trace(f"all(time > 0 and {part})", time=[1.0, 2.0], n=[1])
        assert [one.text for one in found] == ["all(time > 0)", f"all({part})"]
        assert [one.truth for one in found] == [True, part in {"1 < 2", "min(n) > 0"}]


def test_texts_and_sets_name_the_offenders() -> None:
    (found,) = trace("all(word in {'a'})", word=["a", "b", "a", "c", "d", "e"])
    assert [str(case) for case in found.worst] == ["word1: b", "word3: c", "word4: d"]
    (found,) = trace("all(word != 'a')", word=["a", "b", "a"])
    assert [case.index for case in found.worst] == [0, 2]
    (found,) = trace("word == 'a'", word=["b"])
    assert (found.left, found.right, found.margin) == ("b", "a", None)


def test_units_are_given_only_where_they_are_one() -> None:
    assert trace("min(time) > 0", time=[1.0])[0].unit == "s"
    assert trace("max(time) > max(other)", time=[1.0], other=[1.0])[0].unit == "s"
    assert trace("max(time) > n", time=[1.0], n=[1])[0].unit is None
    assert trace("count(time) > 0", time=[1.0])[0].unit == "1"
    assert trace("max(time) * 2 > 1", time=[1.0])[0].unit is None


def test_no_relative_margin_of_a_threshold_of_zero() -> None:
    assert trace("n == 0", n=[3])[0].relative is None
    assert trace("min(time) >= -2", time=[1.0])[0].relative == 1.5


def test_what_is_too_long_to_print_is_left_out() -> None:
    big = 10**400
    found = trace("n * n * n * n > 1", n=[big])[0]
    assert found.truth
    assert found.left == f"about 2**{(big**4).bit_length()}"
    assert (found.margin, found.relative, found.would_pass) == (None, None, None)


values = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([0.1, 1 / 3, 5e-324, 1.7e308])
)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["min", "max", "mean", "median", "p95", "sum", "all", "any"]),
    st.sampled_from(["<", "<=", ">", ">=", "=="]),
    values,
    st.lists(values, min_size=1, max_size=5),
)
def test_the_threshold_that_would_have_passed_does(
    function: str, symbol: str, threshold: float, samples: list[float]
) -> None:
    def line(t: float) -> str:
        return (
            f"{function}(time {symbol} {t!r})"
            if function in {"all", "any"}
            else f"{function}(time) {symbol} {t!r}"
        )

    measured = {"time": Series(tuple(samples))}
    (found,) = explain(parse(line(threshold)), measured, METRICS)
    assert found.truth == evaluate(parse(line(threshold)), measured, METRICS).truth
    if found.margin is not None and symbol != "==":
        assert (found.margin >= 0 if "=" in symbol else found.margin > 0) == found.truth
    tightest = found.would_pass
    if tightest is None:
        assert symbol == "==" or abs(max(samples, key=abs)) > 1e300
        return
    assert evaluate(parse(line(tightest)), measured, METRICS).truth
    if symbol != "==" and isinstance(tightest, float):
        tighter = math.nextafter(tightest, math.inf if ">" in symbol else -math.inf)
        if math.isfinite(tighter):
            assert not evaluate(parse(line(tighter)), measured, METRICS).truth
