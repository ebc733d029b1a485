"""The evaluator against a plain reference: fractions, lists and nothing clever."""

from __future__ import annotations

import math
import random
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pv.expression import Series, evaluate, explain, parse
from tests.pv.expression.reference import (
    METRICS,
    ULP_BELOW,
    Bad,
    Case,
    Measured,
    cosines,
    counts,
    invalid,
    measurements,
    reals,
    reference_valid,
    spoil,
    truths,
)


def says(text: str, **series: Any) -> bool:
    measured = {name: Series(tuple(values)) for name, values in series.items()}
    return evaluate(parse(text), measured, METRICS).truth


@settings(max_examples=600, deadline=None)
@given(truths, measurements())
def test_agrees_with_the_reference(case: Case, measured: Measured) -> None:
    try:
        expected, valid = bool(case.meaning(measured)), True
    except Bad:
        expected, valid = False, False
    # Operators that the reference never reached name metrics too; every one must be valid.
    expression = parse(case.text)
    try:
        for name in expression.metrics:
            reference_valid(name, measured)
    except Bad:
        expected, valid = False, False
    judgement = evaluate(expression, measured, METRICS)
    assert judgement.truth == expected
    assert bool(judgement.faults) == (not valid)
    if valid:
        traces = explain(expression, measured, METRICS)
        if "or" not in case.text and "not" not in case.text and "any" not in case.text:
            assert all(trace.truth for trace in traces) == expected


@settings(max_examples=200, deadline=None)
@given(truths, measurements(spoiled=False), st.data())
def test_invalid_operand_anywhere_is_fail(case: Case, measured: Measured, data: st.DataObject) -> None:
    expression = parse(case.text)
    name = data.draw(st.sampled_from(sorted(expression.metrics)))
    spoil(data.draw, measured, name)
    for text in (case.text, f"not ({case.text})", f"1 == count(y) or count(y) != 1 or ({case.text})"):
        judgement = evaluate(parse(text), measured, METRICS)
        assert not judgement.truth
        assert judgement.faults


@settings(max_examples=200, deadline=None)
@given(st.lists(cosines, min_size=1, max_size=6), st.data())
def test_order_matters_only_to_first_and_last(values: list[Any], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(values))
    for function in ("min", "max", "mean", "median", "p95", "sum", "count"):
        for symbol in ("<", ">=", "=="):
            text = f"{function}(x) {symbol} 0.999"
            assert says(text, x=values) == says(text, x=shuffled)
    for text in ("all(x >= 0.999)", "any(x == 0)"):
        assert says(text, x=values) == says(text, x=shuffled)


conjunctions = st.lists(
    st.sampled_from(
        [
            "min(x) >= 0.999",
            "min(x) > 0",
            "max(x) <= 0.5",
            "max(y) < 3",
            "all(x >= 0.999)",
            "all(x != 0)",
            "all(y > -1 and y <= 3)",
            "all(0 <= n < 3)",
            "min(y) >= 0",
        ]
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=300, deadline=None)
@given(conjunctions, measurements(), st.data())
def test_adding_a_sample_never_turns_fail_into_pass(
    parts: list[str], measured: Measured, data: st.DataObject
) -> None:
    expression = parse(" and ".join(parts))
    before = evaluate(expression, measured, METRICS).truth
    name = data.draw(st.sampled_from(["x", "y", "n"]))
    if name not in measured or not len(measured[name]):
        return  # the first sample of a metric may be what was missing
    extra: Any = data.draw(st.one_of({"x": cosines, "y": reals, "n": counts}[name], invalid))
    values = list(measured[name].values)
    values.insert(data.draw(st.integers(0, len(values))), extra)
    after = evaluate(expression, measured | {name: Series(tuple(values))}, METRICS).truth
    assert before or not after


@pytest.mark.parametrize(
    "rule", ["min(x) >= 0.999", "all(x >= 0.999)", "not any(x < 0.999)", "mean(x) >= 0.999"]
)
def test_fidelity_threshold_turns_where_it_should(rule: str) -> None:
    float32_below = 0.998999953269958496  # 0x3F7FBE76 as binary64; 0x3F7FBE77 is the first above
    assert not says(rule, x=[float32_below])
    assert not says(rule, x=[ULP_BELOW])
    assert says(rule, x=[0.999])
    assert says(rule, x=[0.999000012874603271])
    assert not says(rule, x=[1.0001])
    assert not says(rule, x=[math.nan])
    assert not says(rule, x=[])
    assert not says(rule)


@pytest.mark.parametrize(
    ("text", "series", "reason"),
    [
        ("undeclared > 1", {}, "not a metric that the check declares"),
        ("min(x) > 0", {}, "not recorded"),
        ("min(x) > 0", {"x": []}, "without a sample"),
        ("count(x) == 0 and x > 0", {}, "not recorded"),
        ("all(x > -2)", {"x": []}, "without a sample"),
        ("not any(x > 2)", {"x": []}, "without a sample"),
        ("x > 0", {"x": [0.5, 0.6]}, "recorded 2 times"),
        ("y / n > 0", {"y": [1.0], "n": [0]}, "division by zero"),
        ("n == 0 or y / n > 0", {"y": [1.0], "n": [0]}, "division by zero"),
        ("not y / n > 0", {"y": [1.0], "n": [0]}, "division by zero"),
        ("any(y / n > 0)", {"y": [1.0, 1.0], "n": [1, 0]}, "division by zero, for sample 1"),
        ("log(y) > 0", {"y": [0.0]}, "logarithm"),
        ("all(log(y) > -5)", {"y": [1.0, -1.0]}, "logarithm of -1.0 does not exist, for sample 1"),
        ("all(x <= y)", {"x": [0.1, 0.2], "y": [1.0]}, "cannot be paired"),
        ("all(x <= 1 or y > 0)", {"x": [0.1, 0.2], "y": [1.0]}, "paired"),
        ("word == 1", {"word": ["a"]}, "a text is compared with a number"),
        ("x == 'a'", {"x": [0.5]}, "a text is compared with a number"),
        ("not x == 'a'", {"x": [0.5]}, "a text is compared with a number"),
        ("word < pick", {"word": ["a"], "pick": ["b"]}, "no order"),
        ("min(word) == pick", {"word": ["a"], "pick": ["a"]}, "asked of texts"),
        ("word + 1 > 0", {"word": ["a"]}, "a number is needed"),
        ("word in {1, 2}", {"word": ["a"]}, "among numbers"),
        ("x in {'a'}", {"x": [0.5]}, "among texts"),
        ("all(x in {'a'})", {"x": [0.5]}, "among texts"),
        ("x > 0 or y > 0", {"x": [0.5], "y": [math.nan]}, "y (sample 0) is NaN"),
        ("not (x > 0 and y > 0)", {"x": [0.5], "y": [math.inf]}, "finite"),
        ("count(x) == 2", {"x": [0.5, math.nan]}, "NaN"),
    ],
)
def test_fails_closed_with_the_reason(text: str, series: dict[str, list[Any]], reason: str) -> None:
    measured = {name: Series(tuple(values)) for name, values in series.items()}
    judgement = evaluate(parse(text), measured, METRICS)
    assert not judgement.truth
    assert reason in "; ".join(judgement.faults)


def test_every_invalid_metric_is_named() -> None:
    measured = {"x": Series((math.nan,)), "y": Series(())}
    faults = evaluate(parse("x > 0 or y > 0 or n > 0"), measured, METRICS).faults
    assert [fault.split()[0] for fault in faults] == ["n", "x", "y"]


def test_counting_what_was_never_recorded_gives_zero() -> None:
    assert says("count(x) == 0")
    assert says("count(x) == 0", x=[])
    assert not says("count(x) >= 1")
    assert says("count(word) == 2", word=["a", "b"])


def test_series_with_other_labels_are_not_paired() -> None:
    one, other = Series((0.1, 0.2), ("a", "b")), Series((0.3, 0.4), ("b", "a"))
    judgement = evaluate(parse("all(x <= y)"), {"x": one, "y": other}, METRICS)
    assert judgement.faults == ("series whose samples have different labels cannot be paired",)
    assert evaluate(parse("all(x <= y)"), {"x": one, "y": Series((0.3, 0.4))}, METRICS).truth


def test_texts_and_sets() -> None:
    assert says("word == 'a' and word != 'b' and word in {'a', 'b'} and word not in {'c'}", word=["a"])
    assert says("first(word) == 'a' and last(word) == 'b' and all(word in {'a', 'b'})", word=["a", "b"])
    assert not says("all(word in {'a'})", word=["a", "b"])
    assert says("any(word == pick)", word=["a", "b"], pick=["c", "b"])
    assert says("n in {1, 2.5, 3}", n=[3])
    assert not says("n in {9007199254740992.0}", n=[2**53 + 1])


def test_chains_hold_where_each_link_does() -> None:
    assert says("0 < x <= 0.5 < y", x=[0.5], y=[0.6])
    assert not says("0 < x <= 0.5 < y", x=[0.5], y=[0.5])
    assert says("all(0 <= x < 1)", x=[0.0, 0.5])


def test_aggregates_within_aggregates_stand_for_every_sample() -> None:
    assert says("all(abs(y - median(y)) <= 1)", y=[1.0, 2.0, 3.0])
    assert not says("all(abs(y - median(y)) < 1)", y=[1.0, 2.0, 3.0])
    assert says("max(abs(y)) == 3", y=[1, -3])


def test_huge_integers_and_sums_are_exact() -> None:
    assert says("n == 1000000000000000000000000000000", n=[10**30])
    assert not says("n == 1000000000000000000000000000000", n=[10**30 + 1])
    assert says("mean(y) == 0", y=[1e300, -1e300])
    assert says("sum(y) == 1", y=[1e300, 1.0, -1e300])
    assert not says("sum(y) == 1", y=[0.1] * 10)
    assert says("sum(y) > 1", y=[0.1] * 10)
    assert says("100 * n / count(y) >= 85", n=[85], y=[0.0] * 100)


def test_a_million_samples_are_judged_in_seconds() -> None:
    generator = random.Random(0)
    values = [generator.uniform(0.999, 1) for _ in range(10**6)]
    start = time.process_time()
    assert says("min(x) >= 0.999 and count(x) == 1000000", x=values)
    values[123_456] = ULP_BELOW
    assert not says("all(x >= 0.999)", x=values)
    assert time.process_time() - start < 10  # some 0.5 s on one idle core


@pytest.mark.parametrize(
    "rule", ["mean(y) > 0", "median(y) > 0", "all(y * 2 - y / 3 >= 0)", "sum(y / 3) > 0"]
)
def test_a_hundred_thousand_samples_leave_time_to_spare(rule: str) -> None:
    generator = random.Random(0)
    start = time.process_time()
    assert says(rule, y=[generator.random() for _ in range(10**5)])
    assert time.process_time() - start < 10  # at most 1 s on one idle core


@pytest.mark.parametrize(
    ("values", "threshold", "holds"),
    [
        ([1] * 9 + [0], "0.9", True),
        ([1] * 9 + [0], "0.9000000000000001", False),
        ([1] * 899 + [0] * 101, "0.9", False),
        ([1, 0, 0], "0.3333333333333333", True),
        ([1, 1, 1], "1.0", True),
    ],
)
def test_a_mean_that_is_a_quotient_meets_a_threshold_as_binary64(
    values: list[int], threshold: str, holds: bool
) -> None:
    assert says(f"mean(n) >= {threshold}", n=values) is holds


def test_a_mean_just_below_a_whole_threshold_is_not_rounded_up_to_it() -> None:
    assert not says("mean(n) >= 3.0", n=[3, 3, 2] + [3] * 999)
    assert not says("mean(n) >= 3", n=[3, 3, 2] + [3] * 999)
