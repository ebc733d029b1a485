"""One comparison asked about made-up samples: around where it turns, and those that it must refuse."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from pv.check import Metric, Value
from pv.expression import Measurements, Series, evaluate
from pv.expression.boundary import LARGEST_SERIES, Affine, affine, around, ordinary, series
from pv.expression.evaluator import compare
from pv.expression.exact import InvalidOperandError, Real, constant, shown
from pv.expression.syntax import (
    MIRRORED,
    Aggregate,
    Collection,
    Comparison,
    Expression,
    Name,
    Node,
    Text,
    names,
)
from pv.expression.values import faults

__all__ = ["Outcome", "Probe", "SurveyPoint"]

Outcome = Literal["Pass", "Fail"]


@dataclasses.dataclass(frozen=True)
class SurveyPoint:
    """What one comparison said of one made-up case.

    Parameters
    ----------
    comparison
        In canonical form.
    case
        Where the samples stand: ``"one ULP below the threshold"``, ``"NaN"``, ``"not recorded"``, ...
    sample
        The value that the aggregate had, for people; None where there was none.
    expected, outcome
        What arithmetic says and what the rule said. They must be equal.
    """

    comparison: str
    case: str
    sample: int | float | str | None
    expected: Outcome
    outcome: Outcome


class Probe:
    """One comparison, and the cases around where it turns."""

    def __init__(
        self, quantifier: str | None, left: Node, symbol: str, right: Node, metrics: Mapping[str, Metric]
    ) -> None:
        link = Comparison((left, right), (symbol,))
        # Within any or all, a comparison of aggregates alone is one truth for every sample.
        sampled = quantifier is not None and any(_bare(side) for side in (left, right))
        self._expression = Expression(Aggregate(quantifier, link) if sampled and quantifier else link)
        self.text = str(self._expression)
        self._metrics = metrics
        self._sampled = sampled
        if not names(left):
            left, symbol, right = right, MIRRORED.get(symbol, symbol), left
        self._left, self._symbol, self._right = left, symbol, right

    def points(self) -> Iterator[SurveyPoint]:
        """Yield the points; none where the turning point cannot be derived."""
        operand = affine(self._left)
        if operand is None:
            return
        other, fixed = self._other(operand)
        if other is None:
            return
        metric = self._metrics[operand.metric]
        if isinstance(other, Collection | Text) or metric.kind == "text":
            cases = self._members(operand, metric, other)
        else:
            cases = self._around(operand, metric, other)
        yield from self._cases(operand, metric, cases, fixed)

    def _other(self, operand: Affine) -> tuple[Collection | Text | Real | None, dict[str, Series]]:
        """Return what the operand is compared with, the other metric being held at one value."""
        right = self._right
        if isinstance(right, Collection | Text):
            return right, {}
        if not names(right):
            return constant(right), {}
        held = affine(right)
        if held is None or held.metric == operand.metric:
            return None, {}
        metric = self._metrics[held.metric]
        value = 3 if held.counts else ordinary(metric)
        samples = series(held, value, metric)
        if samples is None or isinstance(value, str):
            return (Text(value) if isinstance(value, str) else None), {held.metric: samples or Series(())}
        return held.at(value), {held.metric: samples}

    def _truth(self, operand: Affine, value: Value, other: Collection | Text | Real) -> bool:
        """Return what plain arithmetic says where the atom has `value`."""
        seen = value if isinstance(value, str) else operand.at(value)
        try:
            if isinstance(other, Collection):
                return any(compare("==", seen, item) for item in other.items) is (self._symbol == "in")
            return compare(self._symbol, seen, other.value if isinstance(other, Text) else other)
        except InvalidOperandError:
            return False  # a text and a number, or texts in order

    def _around(
        self, operand: Affine, metric: Metric, threshold: Collection | Text | Real
    ) -> list[tuple[str, Value, bool]]:
        assert not isinstance(threshold, Collection | Text)  # noqa: S101 -- the caller's other branch
        integral = operand.counts or metric.kind == "count"
        return [
            (case, value, self._truth(operand, value, threshold))
            for case, value in around(operand.root(threshold), integral=integral)
            if not operand.counts or (isinstance(value, int) and 0 <= value <= LARGEST_SERIES)
        ]

    def _members(
        self, operand: Affine, metric: Metric, other: Collection | Text | Real
    ) -> list[tuple[str, Value, bool]]:
        listed: Sequence[Value] = (
            other.items
            if isinstance(other, Collection)
            else ((other.value,) if isinstance(other, Text) else ())
        )
        found: list[tuple[str, Value, bool]] = []
        for item in listed[:3]:
            if isinstance(item, str):
                if metric.kind == "text":
                    found += [(f"{item!r}", item, self._truth(operand, item, other))]
                    found += [("another text", item + "?", self._truth(operand, item + "?", other))]
                continue
            if metric.kind == "text":
                continue
            integral = operand.counts or metric.kind == "count"
            for case, value in around(operand.root(item), integral=integral):
                if not operand.counts or (isinstance(value, int) and 0 <= value <= LARGEST_SERIES):
                    found.append(
                        (
                            case.replace("threshold", f"member {item}"),
                            value,
                            self._truth(operand, value, other),
                        )
                    )
        return found

    def _cases(
        self,
        operand: Affine,
        metric: Metric,
        cases: Sequence[tuple[str, Value, bool]],
        fixed: Mapping[str, Series],
    ) -> Iterator[SurveyPoint]:
        admissible: list[Value] = []
        for case, value, truth in cases:
            samples = series(operand, value, metric)
            if samples is None:
                continue
            valid = not any(faults(metric, samples))
            if valid and not operand.counts:
                admissible.append(value)
            yield self._point(case, value, truth and valid, {**fixed, operand.metric: samples})
        for case, value in _invalid(metric):
            yield self._point(
                case, value, expected=False, measured={**fixed, operand.metric: Series((value,))}
            )
        zero = operand.counts and self._at_zero(operand)
        yield self._point("recorded without a sample", None, zero, {**fixed, operand.metric: Series(())})
        yield self._point("not recorded", None, zero, fixed)
        if len(admissible) > 1 and (self._sampled or self._orderless(operand)) and not self._paired(fixed):
            said = [
                self._says({**fixed, operand.metric: Series(order)})
                for order in itertools.islice(itertools.permutations(admissible), 6)
            ]
            case = "in every order" if len(set(said)) == 1 else "in another order"
            yield SurveyPoint(
                self.text, case, None, said[0], next((x for x in said if x != said[0]), said[0])
            )

    def _paired(self, fixed: Mapping[str, Series]) -> bool:
        """Tell whether the other metric is taken sample by sample, so that one held value pairs with one."""
        return self._sampled and bool(fixed) and _bare(self._right)

    def _at_zero(self, operand: Affine) -> bool:
        other, _ = self._other(operand)
        return other is not None and self._truth(operand, 0, other)

    @staticmethod
    def _orderless(operand: Affine) -> bool:
        return isinstance(operand.atom, Aggregate) and operand.atom.function not in {"first", "last"}

    def _says(self, measured: Measurements) -> Outcome:
        return "Pass" if evaluate(self._expression, measured, self._metrics).truth else "Fail"

    def _point(self, case: str, value: Value | None, expected: bool, measured: Measurements) -> SurveyPoint:
        return SurveyPoint(
            self.text, case, _shown(value), "Pass" if expected else "Fail", self._says(measured)
        )


def _bare(node: Node) -> bool:
    """Tell whether `node` takes a metric sample by sample."""
    operand = affine(node)
    return operand is not None and isinstance(operand.atom, Name)


def _shown(value: Value | None) -> int | float | str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool) or not math.isfinite(value):
        return str(value)
    return shown(value)


def _invalid(metric: Metric) -> Iterator[tuple[str, Value]]:
    """Yield samples that are no measurement of `metric`."""
    if metric.kind == "text":
        yield "a number in place of a text", 1.0
        return
    yield "NaN", math.nan
    yield "infinity", math.inf
    yield "minus infinity", -math.inf
    yield "a truth in place of a number", True
    if metric.kind == "count":
        yield "a negative count", -1
        yield "a fractional count", 0.5
    if metric.low is not None:
        yield "below its range", _outside(metric.low, metric.slack, -math.inf, metric)
    if metric.high is not None:
        yield "above its range", _outside(metric.high, metric.slack, math.inf, metric)


def _outside(bound: float, slack: float, direction: float, metric: Metric) -> Value:
    """Return the nearest value past `bound` and its slack."""
    if metric.kind == "count":
        return math.floor(bound - slack) - 1 if direction < 0 else math.ceil(bound + slack) + 1
    value = bound + math.copysign(slack, direction)
    while not any(faults(metric, Series((value,)))):
        value = math.nextafter(value, direction)
    return value
