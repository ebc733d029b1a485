from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pv.check import Metric
from pv.errors import ExpressionError
from pv.expression import Series, measurements_from_json, measurements_to_json
from pv.verdict import judge, passes

METRICS = {
    metric.name: metric
    for metric in (
        Metric("cosine", low=-1, high=1, slack=1e-12),
        Metric("expected_tensors", kind="count"),
        Metric("one_sided", kind="count"),
        Metric("time", unit="s"),
    )
}
RULE = ["min(cosine) >= 0.993", "count(cosine) == expected_tensors and one_sided == 0"]


def measured(*cosines: Any, expected: int = 3, one_sided: int = 0) -> dict[str, Series]:
    return {
        "cosine": Series(cosines, tuple(f"layers.{index}" for index in range(len(cosines)))),
        "expected_tensors": Series((expected,)),
        "one_sided": Series((one_sided,)),
    }


def test_passes_where_every_line_holds() -> None:
    verdict = judge(RULE, measured(0.999, 0.994, 0.9999), METRICS)
    assert verdict.outcome == "Pass"
    assert verdict.passed
    assert verdict.reasons == ()
    assert verdict.closest is not None
    assert verdict.closest.text == "min(cosine) >= 0.993"
    assert verdict.closest.relative == pytest.approx(0.001 / 0.993)


@pytest.mark.parametrize(
    ("measurements", "reason"),
    [
        (measured(0.999, 0.5, 0.999), "layers.1: 0.5"),
        (measured(0.999, 0.5, 0.999), "a threshold of 0.5 would have passed"),
        (measured(0.999, 0.999), "count(cosine) == expected_tensors is false: 2 against 3"),
        (measured(0.999, 0.999, 0.999, one_sided=1), "one_sided == 0 is false: 1 against 0"),
        (measured(0.999, math.nan, 0.999), "cosine of layers.1 is NaN"),
        (measured(expected=0), "cosine was recorded without a sample"),
        ({}, "nothing was measured"),
        ({"cosine": Series(())}, "nothing was measured"),
    ],
)
def test_fails_with_the_reason(measurements: dict[str, Series], reason: str) -> None:
    verdict = judge(RULE, measurements, METRICS)
    assert verdict.outcome == "Fail"
    assert reason in "\n".join(verdict.reasons)


def test_nothing_measured_is_fail_even_where_every_line_holds() -> None:
    verdict = judge(["count(cosine) == 0"], {}, METRICS)
    assert verdict.lines[0].truth
    assert verdict.outcome == "Fail"
    assert judge(["count(cosine) == 0"], measured(expected=0), METRICS).passed


@pytest.mark.parametrize("rule", [[], (), "", "min(cosine) >= 0.993", [""], ["min(cosine)"], ["x.y > 1"]])
def test_a_rule_that_says_nothing_is_refused(rule: Any) -> None:
    with pytest.raises(ExpressionError):
        judge(rule, measured(0.999), METRICS)


def test_equalities_that_hold_are_not_close_calls() -> None:
    metrics, measurements = METRICS, measured(0.999, 0.999, 0.999) | {"time": Series((1.0,))}
    assert judge(["expected_tensors == 3"], measurements, metrics).closest is None
    closest = judge(["expected_tensors == 3", "time <= 2"], measurements, metrics).closest
    assert closest is not None
    assert (closest.line, closest.relative, closest.unit) == (1, 0.5, "s")
    closest = judge(["expected_tensors == 4", "time <= 2"], measurements, metrics).closest
    assert closest is not None
    assert (closest.line, closest.relative) == (0, -0.25)


def test_lines_are_given_in_canonical_form_and_in_order() -> None:
    verdict = judge(["min(cosine)>=0.9930", "(one_sided)==0"], measured(1.0), METRICS)
    assert [line.text for line in verdict.lines] == ["min(cosine) >= 0.993", "one_sided == 0"]


def test_is_frozen() -> None:
    verdict = judge(RULE, measured(0.999), METRICS)
    with pytest.raises(dataclasses.FrozenInstanceError):
        verdict.outcome = "Pass"  # type: ignore[misc]


samples = st.one_of(
    st.floats(),
    st.integers(-3, 3),
    st.just(10**30),
    st.just(2**5000),
    st.booleans(),
    st.sampled_from(["NaN", "a"]),
)
rules = st.lists(
    st.sampled_from(
        [
            *RULE,
            "all(cosine >= time)",
            "mean(time) / 3 < 1e300",
            "not log(max(time)) > 2 or one_sided in {0, 1}",
            "first(cosine) == 'NaN'",
            "sum(one_sided) * sum(one_sided) <= 1",
            "any(time > 1)",
        ]
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=300, deadline=None)
@given(rules, st.dictionaries(st.sampled_from(sorted(METRICS)), st.lists(samples, max_size=4)))
def test_the_verdict_is_recomputed_from_evidence_byte_for_byte(
    rule: list[str], values: dict[str, list[Any]]
) -> None:
    measurements = {name: Series(tuple(series)) for name, series in values.items()}
    verdict = judge(rule, measurements, METRICS)
    stored = json.dumps(measurements_to_json(measurements), allow_nan=False)
    document = json.dumps(verdict.to_json(), allow_nan=False)
    again = judge(rule, measurements_from_json(json.loads(stored)), METRICS)
    assert json.dumps(again.to_json(), allow_nan=False) == document
    assert json.loads(document)["outcome"] == verdict.outcome
    assert verdict.passed == (not verdict.reasons)
    assert passes(rule, measurements, METRICS) == verdict.passed
