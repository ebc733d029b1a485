from __future__ import annotations

import json
import math
import random
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pv.expression.probe
from pv.check import Metric
from pv.errors import EvidenceError, ExpressionError
from pv.expression import Judgement, Series, evaluate, parse
from pv.expression.interval import Bounds, contradictory, decide
from pv.survey import Survey, survey

METRICS = {
    metric.name: metric
    for metric in (
        Metric("cosine", low=-1, high=1, slack=1e-12),
        Metric("error", low=0),
        Metric("loss", low=-2, high=0),
        Metric("time", unit="s"),
        Metric("n", kind="count"),
        Metric("m", kind="count", high=5),
        Metric("expected_tensors", kind="count"),
        Metric("word", kind="text"),
        Metric("other_word", kind="text"),
    )
}


def kinds(*rule: str) -> list[str]:
    return [defect.kind for defect in survey(rule, METRICS).defects]


def said(*rule: str) -> dict[tuple[str, str], str]:
    return {(point.comparison, point.case): point.outcome for point in survey(rule, METRICS).points}


def test_a_fidelity_rule_is_surveyed_at_its_threshold() -> None:
    line = "min(cosine) >= 0.999"
    assert said(line) == {
        (line, "one ULP below the threshold"): "Fail",
        (line, "at the threshold"): "Pass",
        (line, "one ULP above the threshold"): "Pass",
        (line, "NaN"): "Fail",
        (line, "infinity"): "Fail",
        (line, "minus infinity"): "Fail",
        (line, "a truth in place of a number"): "Fail",
        (line, "below its range"): "Fail",
        (line, "above its range"): "Fail",
        (line, "recorded without a sample"): "Fail",
        (line, "not recorded"): "Fail",
        (line, "in every order"): "Fail",
    }
    below = next(point for point in survey([line], METRICS).points if "below the th" in point.case)
    assert below.sample == math.nextafter(0.999, 0)


def test_counts_step_by_one_and_may_be_zero() -> None:
    found = said("count(cosine) == 3", "n <= 2")
    assert found["count(cosine) == 3", "one below the threshold"] == "Fail"
    assert found["count(cosine) == 3", "at the threshold"] == "Pass"
    assert found["count(cosine) == 3", "one above the threshold"] == "Fail"
    assert found["n <= 2", "one above the threshold"] == "Fail"
    assert found["n <= 2", "a fractional count"] == "Fail"
    assert said("count(cosine) <= 3")["count(cosine) <= 3", "not recorded"] == "Pass"


def test_comparisons_of_two_metrics_and_of_all_samples_are_surveyed() -> None:
    found = said("count(cosine) == expected_tensors", "all(cosine >= 0.5 and time < 3)", "1 > error")
    assert found["count(cosine) == expected_tensors", "one above the threshold"] == "Fail"
    assert found["all(cosine >= 0.5)", "at the threshold"] == "Pass"
    assert found["all(time < 3)", "at the threshold"] == "Fail"
    assert found["1 > error", "one ULP below the threshold"] == "Pass"


def test_a_threshold_between_two_floats_has_no_middle() -> None:
    found = said("mean(time) * 100 >= 84.8")
    assert [case for _, case in found][:2] == ["one ULP below the threshold", "one ULP above the threshold"]


def test_texts_and_members() -> None:
    found = said("word in {'a', 'b'}", "n not in {2}")
    assert found["word in {'a', 'b'}", "'b'"] == "Pass"
    assert found["word in {'a', 'b'}", "another text"] == "Fail"
    assert found["word in {'a', 'b'}", "a number in place of a text"] == "Fail"
    assert found["n not in {2}", "at the member 2"] == "Fail"
    assert found["n not in {2}", "one above the member 2"] == "Pass"


def test_what_cannot_be_derived_is_listed() -> None:
    assert survey(["max(time) - min(time) <= 1"], METRICS).unsurveyed == ("max(time) - min(time) <= 1",)


TAUTOLOGIES = [
    "min(cosine) >= -1",
    "all(cosine <= 1)",
    "count(time) >= 0",
    "n > -1",
    "m <= 5",
    "not cosine > 1",
    "sum(n) >= 0",
    "sum(loss) <= 0",
    "abs(min(cosine)) <= 1",
    "-1 <= mean(cosine) <= 1",
    "max(cosine) - min(cosine) <= 2",
    "time == time",
    "2 * mean(error) + 1 >= 1",
    "error >= 0 or time > 1",
    "1 / (1 + error) > 0 or error >= 0",
]
UNSATISFIABLE = [
    "cosine >= 1.1",
    "n < 0",
    "any(cosine > 1)",
    "min(error) >= 1 and max(error) < 1 and all(error <= 0.5)",
    "mean(time) >= 3 and mean(time) <= 2",
    "min(cosine) >= 0.9 and mean(cosine) <= 0.5",
    "count(time) > 2 and count(time) < 3",
    "n > 2 and n < 3",
    "count(time) == 3 and 4 == count(time)",
    "time != time",
    "sum(loss) > 0",
    "log(error) > 0 and error < -1",
    "word == 1",
    "word == n",
    "count(time) != word",
    "n not in {'a'}",
    "word < other_word",
    "first(word) in {1, 2}",
    "min(word) == 1",
    "min(word) == other_word",
    "abs(word) > 1 or n > 1",
    "all(time > 0 and word == 3)",
    "max(cosine) < -2 and 1 / (2 + mean(cosine)) < -2",
]
SOUND = [
    "min(cosine) >= 0.999",
    "max(cosine) <= 0.999",
    "0 <= min(error) <= 0.5",
    "count(cosine) == expected_tensors and n == 0",
    "min(time) >= 3 and max(time) < 4",
    "n in {2, 3}",
    "word == 'a' or word == 'b'",
    "100 * n / expected_tensors >= 84.8",
    "max(time) - min(time) <= 1.2",
    "all(time <= error)",
    "all(time <= mean(error)) and count(time) == 30",
    "sum(loss) >= -3",
    "sum(time) <= 3",
    "n == expected_tensors and count(time) >= 50 and min(cosine) >= 0.999 and word == 'ok'",
    "first(time) > last(time)",
    "word == other_word",
    "last(word) in {'a'} and first(word) != 'a'",
]


@pytest.mark.parametrize("line", TAUTOLOGIES)
def test_finds_what_cannot_fail(line: str) -> None:
    assert kinds(line) == ["tautology"]
    assert not survey([line], METRICS).sound


@pytest.mark.parametrize("line", UNSATISFIABLE)
def test_finds_what_cannot_pass(line: str) -> None:
    assert "unsatisfiable" in kinds(line)
    assert "wrong" not in kinds(line)


@pytest.mark.parametrize("line", SOUND)
def test_finds_nothing_in_a_sound_rule(line: str) -> None:
    assert kinds(line) == []


def test_contradictions_are_found_across_lines_and_dead_lines_among_others() -> None:
    assert kinds("min(time) >= 3", "max(time) <= 2") == ["unsatisfiable"]
    assert kinds("min(cosine) >= 0.5", "count(cosine) >= 0") == ["tautology"]


@pytest.mark.parametrize(
    "rule",
    [
        ("min(a) == 0", "max(a) == 1", "median(a) == 0"),  # values of a series that differ, at some place
        ("min(a) == 0", "last(a) == 2", "count(a) == 2"),  # and which value that is
    ],
)
def test_the_search_tries_series_of_every_kind(rule: tuple[str, ...]) -> None:
    assert survey(rule, {"a": Metric("a", low=0.0, high=9.0)}).defects == ()


@pytest.mark.parametrize("line", ["time > 3 or time <= 3", "max(time) >= min(time)"])
def test_what_search_cannot_decide_is_only_a_note(line: str) -> None:
    result = survey([line], METRICS)
    assert [defect.kind for defect in result.defects] == ["undetermined"]
    assert result.sound


def test_undeclared_metrics_are_a_defect() -> None:
    result = survey(["cosin >= 0.9"], METRICS)
    assert [(defect.kind, defect.text) for defect in result.defects] == [("undeclared", "cosin")]
    assert not result.sound


@pytest.mark.parametrize("rule", [[], "cosine > 1", ["open('x')"]])
def test_refuses_what_is_no_rule(rule: Any) -> None:
    with pytest.raises(ExpressionError):
        survey(rule, METRICS)


def test_a_judge_that_lets_nan_pass_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pv.expression.probe, "evaluate", lambda *_: Judgement(truth=True))
    result = survey(["min(cosine) >= 0.999"], METRICS)
    wrong = {defect.message for defect in result.defects if defect.kind == "wrong"}
    assert "NaN: says Pass, must say Fail" in wrong
    assert "not recorded: says Pass, must say Fail" in wrong
    assert "one ULP below the threshold: says Pass, must say Fail" in wrong


def test_a_judge_that_heeds_order_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def by_first(expression: Any, measured: Any, metrics: Any) -> Judgement:
        series = measured.get("cosine", ())
        if len(series) < 2:
            return evaluate(expression, measured, metrics)
        return Judgement(truth=series.values[0] >= 0.999)

    monkeypatch.setattr(pv.expression.probe, "evaluate", by_first)
    assert [defect.message for defect in survey(["min(cosine) >= 0.999"], METRICS).defects] == [
        "in another order: says Pass, must say Fail"
    ]


@pytest.mark.parametrize(
    "rule", [SOUND[:1], SOUND, TAUTOLOGIES, ["time > 3 or time <= 3"], ["word in {'a'}"]]
)
def test_json_is_the_same_every_time_and_comes_back(rule: list[str]) -> None:
    first, second = survey(rule, METRICS), survey(rule, METRICS)
    text = json.dumps(first.to_json(), allow_nan=False)
    assert text == json.dumps(second.to_json(), allow_nan=False)
    assert Survey.from_json(json.loads(text)) == first


@pytest.mark.parametrize("document", [{}, None, {"points": [{}], "defects": [], "unsurveyed": []}])
def test_malformed_json_is_an_evidence_error(document: Any) -> None:
    with pytest.raises(EvidenceError):
        Survey.from_json(document)


_SIDES = """
min(cosine) | max(cosine) | mean(error) | sum(loss) | sum(m) | n | m | count(m) | abs(min(loss)) | -last(loss)
| 2 * mean(cosine) - 1 | max(error) / 2 | mean(cosine) * mean(loss) | 1 / (2 + mean(cosine))
| max(error) - min(error) | abs(mean(cosine) - 0.5) | median(loss) / mean(loss)
"""
_sides = st.sampled_from([side.strip() for side in _SIDES.split("|")])
_lines = st.builds(
    lambda left, symbol, right: f"{left} {symbol} {right}",
    _sides,
    st.sampled_from(["<", "<=", ">", ">=", "==", "!="]),
    st.one_of(_sides, st.sampled_from(["-2", "-1", "0", "0.5", "1", "3", "5", "6"])),
)


def _admissible(generator: random.Random) -> dict[str, Series]:
    def some(metric: Metric) -> Any:
        low, high = metric.low, metric.high
        if metric.kind == "count":
            return generator.choice([0, 1, 2, 5 if high is None else int(high)])
        ends = [
            -3.0 if low is None else float(low),
            3.0 if high is None else float(high),
            0.5 if high != 0 else -0.5,
        ]
        return generator.choice([*ends, generator.uniform(ends[0], ends[1])])

    return {
        name: Series(
            tuple(some(metric) for _ in range(1 if name in {"n", "m"} else generator.randrange(1, 4)))
        )
        for name, metric in METRICS.items()
        if metric.kind != "text"
    }


@settings(max_examples=80, deadline=None)
@given(st.lists(_lines, min_size=1, max_size=3), st.integers(0, 2**32))
def test_interval_reasoning_never_claims_what_a_measurement_refutes(lines: list[str], seed: int) -> None:
    generator = random.Random(seed)
    parts = [parse(line) for line in lines]
    bounds = Bounds(METRICS)
    impossible = contradictory([part.root for part in parts], METRICS)
    for _ in range(20):
        judgements = [
            evaluate(part, measured, METRICS) for measured in [_admissible(generator)] for part in parts
        ]
        for part, judgement in zip(parts, judgements, strict=True):
            if not judgement.faults:  # division by zero has no truth
                assert decide(part.root, bounds) in {None, judgement.truth}
        assert not (impossible and all(judgement.truth for judgement in judgements))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["min", "max", "mean", "median", "p95", "sum", "first", "last"]),
    st.sampled_from(["<", "<=", ">", ">=", "==", "!="]),
    st.floats(-1e6, 1e6),
    st.integers(-9, 9).filter(bool),
    st.floats(-10, 10),
)
def test_survey_of_affine_comparisons_agrees_with_arithmetic(
    function: str, symbol: str, threshold: float, slope: int, offset: float
) -> None:
    result = survey([f"{slope} * {function}(time) + {offset!r} {symbol} {threshold!r}"], METRICS)
    assert result.sound
    near = [point for point in result.points if "threshold" in point.case]
    assert len(near) >= 2
    for point in near:
        assert isinstance(point.sample, int | float)
        left = slope * Fraction(point.sample) + Fraction(offset)
        truth = {
            "<": left < threshold,
            "<=": left <= threshold,
            ">": left > threshold,
            ">=": left >= threshold,
            "==": left == threshold,
            "!=": left != threshold,
        }[symbol]
        assert (point.outcome == "Pass") == truth
