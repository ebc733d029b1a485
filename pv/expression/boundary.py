"""Where a comparison turns, and samples that stand just there.

An operand that is ``k * a + b`` in one aggregate (or metric) ``a`` turns at ``a = (t - b) / k``. Of the
values that ``a`` can take, floats or integers, the survey looks at the one there and at its neighbours.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Iterator
from fractions import Fraction

from pv.check import Metric, Value
from pv.expression.exact import Real, constant
from pv.expression.syntax import (
    Aggregate,
    Arithmetic,
    Comparison,
    Name,
    Negative,
    Node,
    children,
    names,
)
from pv.expression.values import Series

__all__ = ["LARGEST_SERIES", "Affine", "affine", "around", "comparisons", "ordinary", "series"]

LARGEST_SERIES = 10_000
"""More samples than this are not made up to see whether they are counted."""


@dataclasses.dataclass(frozen=True)
class Affine:
    """``slope * atom + offset``, the atom being a metric or one aggregate of one metric."""

    atom: Name | Aggregate
    slope: Fraction
    offset: Fraction

    @property
    def metric(self) -> str:
        """The name of the metric."""
        return next(iter(names(self.atom)))

    @property
    def counts(self) -> bool:
        """Whether the atom is ``count(metric)``."""
        return isinstance(self.atom, Aggregate) and self.atom.function == "count"

    def at(self, value: Real) -> Real:
        """Return the operand's value where the atom has `value`."""
        return self.slope * Fraction(value) + self.offset

    def root(self, threshold: Real) -> Fraction:
        """Return the atom's value where the operand has the value `threshold`."""
        return (Fraction(threshold) - self.offset) / self.slope


def affine(node: Node) -> Affine | None:
    """Return `node` as an affine function of one atom; None where it is none."""
    match node:
        case Name() | Aggregate(_, Name()):
            return Affine(node, Fraction(1), Fraction(0))
        case Negative(operand):
            inner = affine(operand)
            return inner and Affine(inner.atom, -inner.slope, -inner.offset)
        case Arithmetic("+" | "-" as operator, left, right) if bool(names(left)) != bool(names(right)):
            inner = affine(left if names(left) else right)
            shift = Fraction(constant(right if names(left) else left))
            if inner is None or operator == "+":
                return inner and Affine(inner.atom, inner.slope, inner.offset + shift)
            if names(left):
                return Affine(inner.atom, inner.slope, inner.offset - shift)
            return Affine(inner.atom, -inner.slope, shift - inner.offset)
        case Arithmetic("*" | "/" as operator, left, right) if bool(names(left)) != bool(names(right)):
            inner = affine(left if names(left) else right)
            factor = Fraction(constant(right if names(left) else left))
            if inner is None or factor == 0 or (operator == "/" and not names(left)):
                return None
            factor = 1 / factor if operator == "/" else factor
            return Affine(inner.atom, inner.slope * factor, inner.offset * factor)
        case _:
            return None


def comparisons(node: Node, quantifier: str | None = None) -> Iterator[tuple[str | None, Node, str, Node]]:
    """Yield every link of every comparison in `node`, with the ``any`` or ``all`` that it stands in."""
    if isinstance(node, Comparison):
        for left, symbol, right in node.links():
            yield quantifier, left, symbol, right
    inner = node.function if isinstance(node, Aggregate) and node.function in {"any", "all"} else quantifier
    for child in children(node):
        yield from comparisons(child, inner)


def around(root: Fraction, *, integral: bool) -> list[tuple[str, Value]]:
    """Return the value at `root`, where there is one, and its neighbours, each with its name."""
    if integral:
        below, above = math.ceil(root) - 1, math.floor(root) + 1
        middle: list[tuple[str, Value]] = [("at the threshold", int(root))] if root.denominator == 1 else []
        return [("one below the threshold", below), *middle, ("one above the threshold", above)]
    if abs(root) >= Fraction(sys.float_info.max):
        return []
    nearest = float(root)
    middle = [("at the threshold", nearest)] if nearest == root else []
    low = nearest if nearest < root else math.nextafter(nearest, -math.inf)
    high = nearest if nearest > root else math.nextafter(nearest, math.inf)
    return [("one ULP below the threshold", low), *middle, ("one ULP above the threshold", high)]


def ordinary(metric: Metric) -> Value:
    """Return a value that the metric can have."""
    if metric.kind == "text":
        return "a text"
    low = -math.inf if metric.low is None else metric.low
    high = math.inf if metric.high is None else metric.high
    if metric.kind == "count":
        return max(0, math.ceil(low)) if low > 0 else 0
    return float(min(max(0.0, low), high))


def series(operand: Affine, value: Value, metric: Metric) -> Series | None:
    """Return samples for which the atom has `value`; None where there are none (minus one samples)."""
    if not operand.counts:
        return Series((value,))
    assert isinstance(value, int)  # noqa: S101 -- counts are probed on the integers
    if not 0 <= value <= LARGEST_SERIES:
        return None
    return Series((ordinary(metric),) * value)
