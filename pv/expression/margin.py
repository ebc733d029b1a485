"""By how much a comparison holds or fails, because of which samples, and what would have passed.

What cannot be said truthfully is left out (None, or no cases), never guessed.
"""

from __future__ import annotations

import dataclasses
import heapq
import math
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from pv.check import Metric
from pv.expression.evaluator import Evaluator, Samples, Scalar, compare
from pv.expression.exact import Real, absolute, arithmetic, exact, meet, shown
from pv.expression.syntax import (
    MIRRORED,
    Aggregate,
    Collection,
    Comparison,
    Expression,
    Name,
    Node,
    Text,
    children,
    conjuncts,
    names,
    render,
)
from pv.expression.trace import Case, ComparisonTrace, Shown
from pv.expression.values import Measurements

__all__ = ["WORST", "explain"]

WORST = 3
"""How many samples are named."""
_UPWARD = frozenset({">", ">="})
_DOWNWARD = frozenset({"<", "<="})


def explain(
    expression: Expression,
    measurements: Measurements,
    metrics: Mapping[str, Metric],
    evaluator: Evaluator | None = None,
) -> tuple[ComparisonTrace, ...]:
    """Trace each comparison that `expression` joins by ``and``; below ``or`` and ``not`` without margins.

    Raises
    ------
    InvalidOperandError
        An operand is invalid; :func:`~pv.expression.evaluate.evaluate` says so first.
    """
    return tuple(_Explainer(evaluator or Evaluator(measurements), metrics).explain(expression.root))


def _nearest(value: Real) -> int | float | None:
    result = shown(value)
    return None if isinstance(result, str) else result


def _show(value: Scalar) -> Shown:
    return value if isinstance(value, str) else shown(value)


def _tightest(symbol: str, observed: Real) -> int | float | None:
    """Return the tightest number `t` for which ``observed symbol t`` holds."""
    nearest = _nearest(observed)
    if nearest is None:
        return None
    if symbol == "==":
        return nearest if nearest == observed else None
    if isinstance(nearest, int):
        if isinstance(observed, int) or abs(nearest) > 2**53:
            low, high = math.floor(observed), math.ceil(observed)
            return {">=": low, "<=": high, ">": high - 1, "<": low + 1}[symbol]
        nearest = float(nearest)  # a mean that happens to be whole is no count
    direction = -math.inf if symbol in _UPWARD else math.inf
    while not compare(symbol, observed, nearest):
        nearest = math.nextafter(nearest, direction)
    return nearest if math.isfinite(nearest) else None


class _Explainer:
    def __init__(self, evaluator: Evaluator, metrics: Mapping[str, Metric]) -> None:
        self._evaluator = evaluator
        self._metrics = metrics

    def explain(self, root: Node) -> Iterator[ComparisonTrace]:
        for part in conjuncts(root):
            match part:
                case Comparison():
                    yield from (self._scalar(*link) for link in part.links())
                case Aggregate("all", body):
                    for inner in conjuncts(body):
                        if isinstance(inner, Comparison) and names(inner):
                            yield from (self._sampled("all", *link) for link in inner.links())
                        else:
                            yield self._bare(Aggregate("all", inner))
                case Aggregate("any", Comparison(_, operators) as body) if len(operators) == 1:
                    yield from (self._sampled("any", *link) for link in body.links())
                case _:
                    yield self._bare(part)
                    yield from self._nested(part)

    def _bare(self, node: Node) -> ComparisonTrace:
        return ComparisonTrace(render(node), self._evaluator.truth(node))

    def _nested(self, node: Node) -> Iterator[ComparisonTrace]:
        """Trace values, without margins, of the scalar comparisons below ``or`` and ``not``."""
        for child in children(node):
            if isinstance(child, Comparison):
                for link in child.links():
                    trace = self._scalar(*link)
                    yield dataclasses.replace(trace, margin=None, relative=None, worst=(), would_pass=None)
            elif not isinstance(child, Aggregate) and not isinstance(node, Aggregate):
                yield from self._nested(child)

    def _unit(self, *sides: Node) -> str | None:
        """Return the unit where each side is an aggregate of a metric of that unit, or a number."""
        units = set()
        for side in sides:
            if not names(side):
                continue
            inner = side.argument if isinstance(side, Aggregate) else side
            if not isinstance(inner, Name):
                return None
            counts = isinstance(side, Aggregate) and side.function == "count"
            units.add("1" if counts else self._metrics[inner.name].unit)
        return units.pop() if len(units) == 1 else None

    def _scalar(self, left: Node, symbol: str, right: Node) -> ComparisonTrace:
        text = render(Comparison((left, right), (symbol,)))
        truth = self._evaluator.truth(Comparison((left, right), (symbol,)))
        first = self._evaluator.scalar(left)
        if isinstance(right, Collection):
            return ComparisonTrace(text, truth, _show(first), symbol, render(right))
        second = self._evaluator.scalar(right)
        if isinstance(first, str) or isinstance(second, str):
            return ComparisonTrace(text, truth, _show(first), symbol, _show(second))
        return ComparisonTrace(
            text,
            truth,
            shown(first),
            symbol,
            shown(second),
            unit=self._unit(left, right),
            worst=self._worst_of_scalar(left, symbol, right, first, second),
            **self._distance(symbol, (left, first), (right, second)),
        )

    @staticmethod
    def _distance(symbol: str, left: tuple[Node, Real], right: tuple[Node, Real]) -> dict[str, Any]:
        """Return margin, relative margin and the threshold that would have passed, where they exist."""
        if symbol == "!=":
            return {}
        first, second = meet(left[1], right[1])
        gap = exact(first) - exact(second)
        margin = gap if symbol in _UPWARD else (-gap if symbol in _DOWNWARD else -absolute(gap))
        result: dict[str, Any] = {"margin": _nearest(margin)}
        if not names(right[0]):
            observed, threshold = left[1], right[1]
        elif not names(left[0]):
            observed, threshold, symbol = right[1], left[1], MIRRORED[symbol]
        else:
            return result
        result["would_pass"] = _tightest(symbol, observed)
        if threshold:
            relative = _nearest(Fraction(arithmetic("/", margin, absolute(threshold))))
            result["relative"] = None if relative is None or abs(relative) > 1e308 else float(relative)
        return result

    def _worst_of_scalar(
        self, left: Node, symbol: str, right: Node, first: Real, second: Real
    ) -> tuple[Case, ...]:
        """Name the samples of the one aggregate that is compared with a number."""
        if not names(left):
            left, right, first, second, symbol = right, left, second, first, MIRRORED[symbol]
        if not isinstance(left, Aggregate) or left.function == "count" or names(right):
            return ()
        samples = self._evaluator.samples(left.argument)
        assert isinstance(samples, Samples)  # noqa: S101 -- the parser saw a metric in it
        values = [value for value in samples.values if not isinstance(value, str)]
        if left.function in {"first", "last"}:
            return _cases(samples, values, [0 if left.function == "first" else len(values) - 1])
        if symbol == "!=" or (symbol == "==" and first == second):
            return ()
        smallest = symbol in _UPWARD or (symbol == "==" and first < second)
        if left.function == ("max" if smallest else "min"):
            return ()  # all samples weigh against it alike
        return _cases(samples, values, _extremes(values, smallest=smallest))

    def _sampled(self, quantifier: str, left: Node, symbol: str, right: Node) -> ComparisonTrace:
        """Trace a comparison sample by sample: ``all`` by its worst sample, ``any`` by its best."""
        link = Comparison((left, right), (symbol,))
        text = f"{quantifier}({render(link)})"
        first = self._evaluator.samples(left)
        second = None if isinstance(right, Collection) else self._evaluator.samples(right)
        series = first if isinstance(first, Samples) else second
        if not isinstance(series, Samples):
            return ComparisonTrace(text, self._evaluator.truth(link))
        truth = self._evaluator.truth(Aggregate(quantifier, link))
        size = len(series.values)
        lefts, rights = _column(first, size), _column(second, size)
        if second is None or isinstance(lefts[0], str) or isinstance(rights[0], str) or symbol == "!=":
            items = right.items if isinstance(right, Collection) else ()
            wanted = symbol in {"in", "=="}
            against = (
                index
                for index in range(size)
                if ((lefts[index] in items) if second is None else (lefts[index] == rights[index]))
                is not wanted
            )
            chosen = (
                [index for index, _ in zip(against, range(WORST), strict=False)]
                if quantifier == "all"
                else []
            )
            shown_right = render(right) if isinstance(right, Collection | Text) else None
            return ComparisonTrace(
                text, truth, None, symbol, shown_right, worst=_cases(series, series.values, chosen)
            )
        if symbol != "==" and not (isinstance(first, Samples) and isinstance(second, Samples)):
            # One side is the same for all: the other decides, without the ties that rounding makes.
            moving, upward = (lefts, symbol in _UPWARD) if series is first else (rights, symbol in _DOWNWARD)
            order = _extremes(moving, smallest=upward == (quantifier == "all"))
        else:
            margins = [_margin(symbol, one, other) for one, other in zip(lefts, rights, strict=True)]
            order = _extremes(margins, smallest=quantifier == "all")
        extreme = order[0]
        one, other = lefts[extreme], rights[extreme]
        assert not isinstance(one, str)  # noqa: S101 -- texts were dealt with above
        assert not isinstance(other, str)  # noqa: S101
        distance = self._distance(symbol, (left, one), (right, other))
        if symbol == "==":
            distance.pop("would_pass", None)  # no one value equals several samples
        return ComparisonTrace(
            text,
            truth,
            shown(one),
            symbol,
            shown(other),
            unit=self._unit(left, right),
            worst=_cases(series, series.values, order) if quantifier == "all" else (),
            **distance,
        )


def _column(operand: Samples | Scalar | None, size: int) -> Sequence[Scalar]:
    if isinstance(operand, Samples):
        return operand.values
    return [0 if operand is None else operand] * size


def _margin(symbol: str, left: Scalar, right: Scalar) -> Real:
    """Return the margin of one sample, rounded to nearest: rounding keeps the order."""
    assert not isinstance(left, str)  # noqa: S101 -- texts have no margin
    assert not isinstance(right, str)  # noqa: S101
    if type(left) is float and type(right) is float and math.isfinite(left - right):
        gap: Real = left - right
    else:
        first, second = meet(left, right)
        gap = exact(first) - exact(second)
    if symbol in _UPWARD:
        return gap
    return -gap if symbol in _DOWNWARD else -absolute(gap)


def _extremes(values: Sequence[Scalar], *, smallest: bool) -> list[int]:
    """Return the places of the `WORST` smallest (or largest) numbers, ties in order of recording."""
    pick = heapq.nsmallest if smallest else heapq.nlargest
    places = [index for index, value in enumerate(values) if not isinstance(value, str)]
    return pick(WORST, places, key=values.__getitem__)


def _cases(samples: Samples, values: Sequence[Scalar], order: Sequence[int]) -> tuple[Case, ...]:
    return tuple(Case(samples.series.label(index), index, _show(values[index])) for index in order)
