"""What a rule can say at all, by interval reasoning over the declared ranges of metrics.

Ranges are taken without slack: slack is room for rounding, and a rule that rounding alone can break (or
satisfy) makes no claim. The reasoning is sound and not complete: True and False are certain, None means that
it depends, or is not known.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Self

from pv.check import Metric
from pv.expression.exact import Real, absolute, arithmetic, constant
from pv.expression.syntax import (
    MIRRORED,
    Aggregate,
    Arithmetic,
    Call,
    Collection,
    Comparison,
    Junction,
    Name,
    Negative,
    Node,
    Not,
    Text,
    names,
)

__all__ = ["EVERYTHING", "Bounds", "Interval", "contradictory", "decide", "extent", "follows"]


@dataclasses.dataclass(frozen=True)
class Interval:
    """A closed interval; an infinite end is open."""

    low: Real = -math.inf
    high: Real = math.inf

    @property
    def empty(self) -> bool:
        """Whether no number lies in it."""
        return self.low > self.high

    def meet(self, other: Self) -> Interval:
        """Return the intersection."""
        return Interval(max(self.low, other.low), min(self.high, other.high))


EVERYTHING = Interval()


class _NothingError(Exception):
    """What was learnt leaves some operand no value at all."""


@dataclasses.dataclass
class Bounds:
    """The metrics, and what is known beside their ranges: of samples by metric, and of whole operands."""

    metrics: Mapping[str, Metric]
    samples: dict[str, Interval] = dataclasses.field(default_factory=dict)
    operands: dict[Node, Interval] = dataclasses.field(default_factory=dict)

    def sample(self, name: str) -> Interval | None:
        """Return where samples of `name` lie; None for a text."""
        metric = self.metrics[name]
        if metric.kind == "text":
            return None
        low = -math.inf if metric.low is None else metric.low
        high = math.inf if metric.high is None else metric.high
        declared = Interval(max(low, 0) if metric.kind == "count" else low, high)
        return declared.meet(self.samples.get(name, EVERYTHING))

    def integral(self, node: Node) -> bool:
        """Tell whether `node` is always an integer."""
        match node:
            case Aggregate("count", _):
                return True
            case Name(name) | Aggregate("min" | "max" | "sum" | "first" | "last" | "p95", Name(name)):
                return self.metrics[name].kind == "count"
            case _:
                return False


def _times(left: Real, right: Real) -> Real:
    if 0 in {left, right}:
        return 0
    if math.inf in {absolute(left), absolute(right)}:
        return math.inf if (left > 0) == (right > 0) else -math.inf
    return arithmetic("*", left, right)


def _plus(left: Real, right: Real) -> Real:
    infinite = [end for end in (left, right) if absolute(end) == math.inf]
    return infinite[0] if infinite else arithmetic("+", left, right)


def _negated(interval: Interval) -> Interval:
    return Interval(_times(-1, interval.high), _times(-1, interval.low))


def extent(node: Node, bounds: Bounds) -> Interval | None:
    """Return an interval that holds every value of `node`; None where a text is involved."""
    if isinstance(node, Text | Collection):
        return None
    if not names(node):
        return Interval(constant(node), constant(node))
    found = _extent(node, bounds)
    if found is None:
        return None
    known = found.meet(bounds.operands.get(node, EVERYTHING))
    if known.empty:
        raise _NothingError
    return known


def _extent(node: Node, bounds: Bounds) -> Interval | None:
    match node:
        case Name(name):
            return bounds.sample(name)
        case Aggregate("count", _):
            return Interval(0, math.inf)
        case Aggregate(function, argument):
            inner = extent(argument, bounds)
            if inner is None or function != "sum":
                return inner
            return Interval(
                inner.low if inner.low >= 0 else -math.inf, inner.high if inner.high <= 0 else math.inf
            )
        case Negative(operand):
            inner = extent(operand, bounds)
            return None if inner is None else _negated(inner)
        case Call("abs", argument):
            inner = extent(argument, bounds)
            if inner is None:
                return None
            ends = absolute(inner.low), absolute(inner.high)
            return Interval(0 if inner.low <= 0 <= inner.high else min(ends), max(ends))
        case Arithmetic(operator, left, right):
            first, second = extent(left, bounds), extent(right, bounds)
            return None if first is None or second is None else _combined(operator, first, second)
        case _:
            return EVERYTHING


def _inverse(value: Real) -> Real:
    return 0 if absolute(value) == math.inf else arithmetic("/", 1, value)


def _combined(operator: str, first: Interval, second: Interval) -> Interval:
    if operator in "+-":
        second = second if operator == "+" else _negated(second)
        return Interval(_plus(first.low, second.low), _plus(first.high, second.high))
    if operator == "/":
        if second.low <= 0 <= second.high:
            return EVERYTHING
        second = Interval(_inverse(second.high), _inverse(second.low))  # one sign throughout
    products = [_times(one, other) for one in (first.low, first.high) for other in (second.low, second.high)]
    return Interval(min(products), max(products))


def decide(node: Node, bounds: Bounds) -> bool | None:
    """Return what `node` says of every measurement within `bounds`; None where it depends or is not known."""
    try:
        return _decide(node, bounds)
    except _NothingError:
        return None


def _decide(node: Node, bounds: Bounds) -> bool | None:
    match node:
        case Comparison():
            return _conjunction(_decide_link(*link, bounds) for link in node.links())
        case Junction("and", operands):
            return _conjunction(_decide(operand, bounds) for operand in operands)
        case Junction(_, operands):
            return _negation(_conjunction(_negation(_decide(operand, bounds)) for operand in operands))
        case Not(operand):
            return _negation(_decide(operand, bounds))
        case Aggregate("any" | "all", argument):
            return _decide(argument, bounds)  # of at least one sample, so that none differ in this
        case _:
            return None


def _negation(truth: bool | None) -> bool | None:
    return None if truth is None else not truth


def _conjunction(truths: Iterable[bool | None]) -> bool | None:
    found = set(truths)
    return False if False in found else (None if None in found else True)


def _decide_link(left: Node, symbol: str, right: Node, bounds: Bounds) -> bool | None:
    if symbol in {"in", "not in"}:
        return None
    if left == right:
        return symbol in {"<=", ">=", "=="}
    first, second = extent(left, bounds), extent(right, bounds)
    if first is None or second is None:
        return None
    if symbol in {">", ">="}:
        first, second, symbol = second, first, MIRRORED[symbol]
    match symbol:
        case "<":
            return True if first.high < second.low else (False if first.low >= second.high else None)
        case "<=":
            return True if first.high <= second.low else (False if first.low > second.high else None)
        case _:
            apart = first.meet(second).empty
            fixed = first.low == first.high == second.low == second.high
            equal = False if apart else (True if fixed else None)
            return equal if symbol == "==" else _negation(equal)


def contradictory(parts: Iterable[Node], metrics: Mapping[str, Metric]) -> bool:
    """Tell whether the `parts`, all of which must hold, surely cannot hold together."""
    parts = list(parts)
    try:
        bounds = _learned(parts, metrics)
        return any(_decide(part, bounds) is False for part in parts)
    except _NothingError:
        return True


def follows(parts: Iterable[Node], conclusion: Node, metrics: Mapping[str, Metric]) -> bool:
    """Tell whether `conclusion` surely holds where all `parts` do; not where these cannot hold together."""
    try:
        return _decide(conclusion, _learned(parts, metrics)) is True
    except _NothingError:
        return False


def _learned(parts: Iterable[Node], metrics: Mapping[str, Metric]) -> Bounds:
    """Return what all `parts`, if they hold, say of samples and operands."""
    bounds = Bounds(metrics)
    for part in parts:
        _learn(part, bounds)
    for operand in bounds.operands:
        extent(operand, bounds)
    return bounds


def _learn(part: Node, bounds: Bounds) -> None:
    """Note what `part`, if it holds, says of samples and operands."""
    match part:
        case Aggregate("all", body):
            for inner in body.operands if isinstance(body, Junction) and body.operator == "and" else (body,):
                _learn_links(inner, bounds, within=True)
        case _:
            _learn_links(part, bounds, within=False)


def _learn_links(node: Node, bounds: Bounds, *, within: bool) -> None:
    if not isinstance(node, Comparison) or {"in", "not in", "!="} & set(node.operators):
        return
    for one, operator, other in node.links():
        left, symbol, right = one, operator, other
        if not names(left):
            left, symbol, right = right, MIRRORED[symbol], left
        limit = extent(right, bounds)
        if names(right) or not names(left) or limit is None or extent(left, bounds) is None:
            continue
        threshold = limit.low
        lower = Interval(low=threshold) if symbol in {">", ">=", "=="} else EVERYTHING
        upper = Interval(high=threshold) if symbol in {"<", "<=", "=="} else EVERYTHING
        if bounds.integral(left):
            if symbol == ">":
                lower = Interval(low=math.floor(threshold) + 1)
            if symbol == "<":
                upper = Interval(high=math.ceil(threshold) - 1)
        both = lower.meet(upper)
        match left:
            case Name(name):
                bounds.samples[name] = bounds.samples.get(name, EVERYTHING).meet(both)
            case Aggregate("min", Name(name)) if not within:
                bounds.samples[name] = bounds.samples.get(name, EVERYTHING).meet(lower)
            case Aggregate("max", Name(name)) if not within:
                bounds.samples[name] = bounds.samples.get(name, EVERYTHING).meet(upper)
        if not within or not isinstance(left, Name):
            bounds.operands[left] = bounds.operands.get(left, EVERYTHING).meet(both)
