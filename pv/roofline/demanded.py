"""How high a rule demands that some sample of a metric is: what follows from its lines, whatever their form.

What is yielded surely holds where the rule does. A bound that two metrics make together, or that a logarithm
or a square hides, is none that can be read here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from fractions import Fraction

from pv.expression.syntax import (
    Aggregate,
    Arithmetic,
    Collection,
    Comparison,
    Junction,
    Name,
    Negative,
    Node,
    Not,
    Number,
)

__all__ = ["demanded"]

Least = Mapping[str, Fraction]
"""Metric → what some sample of it is at least."""

_ATTAINED = frozenset({"min", "max", "mean", "median", "p95", "first", "last"})
"""Aggregates of numbers of which some sample is at least as high, and some at least as low."""
_NEGATED = {
    "<": ">=",
    "<=": ">",
    ">": "<=",
    ">=": "<",
    "==": "!=",
    "!=": "==",
    "in": "not in",
    "not in": "in",
}


def demanded(node: Node, *, negated: bool = False) -> Least:
    """Return what `node`, or with `negated` its contrary, demands at least of each metric."""
    match node:
        case Not(operand):
            return demanded(operand, negated=not negated)
        case Aggregate("any" | "all", argument):
            return demanded(argument, negated=negated)  # of some sample, or of each
        case Junction(operator, operands):
            parts = [demanded(operand, negated=negated) for operand in operands]
            return _every(parts) if (operator == "and") is not negated else _either(parts)
        case Comparison():
            links = [
                _link(left, _NEGATED[operator] if negated else operator, right)
                for left, operator, right in node.links()
            ]
            return _either(links) if negated else _every(links)
        case _:
            return {}


def _every(parts: Iterable[Least]) -> Least:
    found: dict[str, Fraction] = {}
    for part in parts:
        for name, least in part.items():
            found[name] = max(least, found.get(name, least))
    return found


def _either(parts: Iterable[Least]) -> Least:
    first, *others = parts
    shared = set(first).intersection(*others)
    return {name: min(part[name] for part in (first, *others)) for name in first if name in shared}


def _link(left: Node, operator: str, right: Node) -> Least:
    if isinstance(right, Collection):
        numbers = [one for one in right.items if not isinstance(one, str)]
        if operator != "in" or len(numbers) < len(right.items):
            return {}
        return _either([_link(left, "==", Number(one)) for one in numbers])
    before, after = _linear(left), _linear(right)
    if before is None or after is None:
        return {}
    difference = before.plus(after.times(Fraction(-1)))
    if difference is None:
        return {}
    return _every(
        _solved(difference.times(Fraction(sign)))
        for sign, operators in ((1, {">", ">=", "=="}), (-1, {"<", "<=", "=="}))
        if operator in operators
    )


@dataclasses.dataclass(frozen=True)
class _Linear:
    """``factor * of + constant``; `of` is None where it is the constant alone."""

    of: Node | None
    factor: Fraction
    constant: Fraction

    def times(self, by: Fraction) -> _Linear:
        return _Linear(self.of if by else None, self.factor * by, self.constant * by)

    def plus(self, other: _Linear) -> _Linear | None:
        if self.of is not None and other.of is not None and self.of != other.of:
            return None
        factor = self.factor + other.factor
        of = self.of if self.of is not None else other.of
        return _Linear(of if factor else None, factor, self.constant + other.constant)


def _solved(at_least_zero: _Linear) -> Least:
    """Return what follows from a linear form that is not negative."""
    of, factor = at_least_zero.of, at_least_zero.factor
    if of is None:
        return {}
    bound = -at_least_zero.constant / factor
    if isinstance(of, Name):
        return {of.name: bound} if factor > 0 else {}
    inner = _linear(of.argument) if isinstance(of, Aggregate) else None
    if inner is None or inner.of is None:
        return {}
    # The aggregate is at least, or at most, the bound: so is what it is made of, for some sample.
    sign = Fraction(1 if factor > 0 else -1)
    return _solved(_Linear(inner.of, inner.factor, inner.constant - bound).times(sign))


def _linear(node: Node) -> _Linear | None:
    """Return `node` as a linear form of one metric, or of one aggregate; None where it is none."""
    match node:
        case Number(value):
            return _Linear(None, Fraction(0), Fraction(value))
        case Name():
            return _Linear(node, Fraction(1), Fraction(0))
        case Aggregate(function, _) if function in _ATTAINED:
            return _Linear(node, Fraction(1), Fraction(0))
        case Negative(operand):
            inner = _linear(operand)
            return inner and inner.times(Fraction(-1))
        case Arithmetic("/", Aggregate("sum", argument), Aggregate("count", Name() as counted)):
            # The mean, spelled out.
            return _linear(Aggregate("mean", argument)) if _of(argument) == counted else None
        case Arithmetic(operator, left, right):
            before, after = _linear(left), _linear(right)
            return before and after and _combined(operator, before, after)
        case _:
            return None


def _of(argument: Node) -> Node | None:
    inner = _linear(argument)
    return None if inner is None else inner.of


def _combined(operator: str, left: _Linear, right: _Linear) -> _Linear | None:
    if operator in {"+", "-"}:
        return left.plus(right if operator == "+" else right.times(Fraction(-1)))
    if operator == "/":
        return left.times(1 / right.constant) if right.of is None and right.constant else None
    if right.of is not None:
        left, right = right, left
    return left.times(right.constant) if right.of is None else None
