"""The verdict: what the rule in a contract says of the measurements.

It is pure, so that anyone can recompute it from the evidence.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pv.check import Metric
from pv.defects import read_rule
from pv.expression import ComparisonTrace, Expression, Measurements, evaluate, explain
from pv.expression.evaluator import Evaluator

__all__ = ["Closest", "LineVerdict", "Verdict", "judge", "passes"]


@dataclasses.dataclass(frozen=True)
class LineVerdict:
    """What one line of the rule says.

    Parameters
    ----------
    text
        The line in canonical form.
    truth
        Whether it holds.
    reason
        Why it does not; None where it does.
    comparisons
        How each comparison in it came out; empty where an operand could not be judged.
    """

    text: str
    truth: bool
    reason: str | None
    comparisons: tuple[ComparisonTrace, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the line as JSON values."""
        return {
            "text": self.text,
            "truth": self.truth,
            "reason": self.reason,
            "comparisons": [trace.to_json() for trace in self.comparisons],
        }


@dataclasses.dataclass(frozen=True)
class Closest:
    """The comparison with the smallest relative margin: how near the verdict was."""

    line: int
    text: str
    margin: int | float | None
    relative: float
    unit: str | None

    def to_json(self) -> dict[str, Any]:
        """Return the margin as JSON values; `line` counts from 0."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Pass if every line holds and something was measured; else Fail, with the reasons."""

    outcome: Literal["Pass", "Fail"]
    lines: tuple[LineVerdict, ...]
    reason: str | None = None
    closest: Closest | None = None

    @property
    def passed(self) -> bool:
        """Whether the outcome is Pass."""
        return self.outcome == "Pass"

    @property
    def reasons(self) -> tuple[str, ...]:
        """Every reason for Fail; empty for Pass."""
        own = (self.reason,) if self.reason else ()
        return own + tuple(line.reason for line in self.lines if line.reason)

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as JSON values: equal verdicts give equal documents."""
        return {
            "outcome": self.outcome,
            "reason": self.reason,
            "lines": [line.to_json() for line in self.lines],
            "closest": self.closest.to_json() if self.closest else None,
        }


def passes(rule: Sequence[str], measurements: Measurements, metrics: Mapping[str, Metric]) -> bool:
    """Tell whether :func:`judge` would say Pass, without working out why.

    Raises
    ------
    ExpressionError
        As :func:`judge`.
    """
    return all(
        evaluate(Expression(root), measurements, metrics).truth for root in read_rule(rule)
    ) and _measured(measurements)


def judge(rule: Sequence[str], measurements: Measurements, metrics: Mapping[str, Metric]) -> Verdict:
    """Judge measurements by a rule, all of whose lines must hold.

    Parameters
    ----------
    rule
        The lines of ``expect``.
    measurements
        The recorded series, by metric.
    metrics
        The metrics that the check declares, by name.

    Raises
    ------
    ExpressionError
        The rule has no line, or a line is not of the language. What was measured never raises.
    """
    lines = tuple(_judge_line(Expression(root), measurements, metrics) for root in read_rule(rule))
    reason = None if _measured(measurements) else "nothing was measured"
    passed = reason is None and all(line.truth for line in lines)
    return Verdict("Pass" if passed else "Fail", lines, reason, _closest(lines))


def _measured(measurements: Measurements) -> bool:
    return any(len(series) for series in measurements.values())


def _judge_line(
    expression: Expression, measurements: Measurements, metrics: Mapping[str, Metric]
) -> LineVerdict:
    evaluator = Evaluator(measurements)
    judgement = evaluate(expression, measurements, metrics, evaluator)
    if judgement.faults:
        return LineVerdict(str(expression), truth=False, reason="; ".join(judgement.faults), comparisons=())
    traces = explain(expression, measurements, metrics, evaluator)
    reason = None if judgement.truth else _why_false(str(expression), traces)
    return LineVerdict(str(expression), judgement.truth, reason, traces)


def _why_false(text: str, traces: Sequence[ComparisonTrace]) -> str:
    sentences = []
    for trace in traces:
        if trace.truth:
            continue
        sentence = f"{trace.text} is false"
        if trace.left is not None:
            sentence += f": {trace.left} against {trace.right}"
        if trace.margin is not None:
            sentence += f", off by {abs(trace.margin)}" if trace.margin else ", with nothing to spare"
            sentence += f" {trace.unit}" if trace.margin and trace.unit not in {None, "1"} else ""
        if trace.worst:
            sentence += f"; worst: {', '.join(map(str, trace.worst))}"
        if trace.would_pass is not None:
            sentence += f"; a threshold of {trace.would_pass} would have passed"
        sentences.append(sentence)
    return "; ".join(sentences) or f"{text} is false"


def _closest(lines: Sequence[LineVerdict]) -> Closest | None:
    """Return the smallest relative margin. An equality that holds has none: it cannot hold by more."""
    best: Closest | None = None
    for number, line in enumerate(lines):
        for trace in line.comparisons:
            if trace.relative is None or (trace.operator == "==" and trace.truth):
                continue
            if best is None or trace.relative < best.relative:
                best = Closest(number, trace.text, trace.margin, trace.relative, trace.unit)
    return best
