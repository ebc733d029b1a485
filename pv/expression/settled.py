"""Whether a rule has failed already, whatever else will be recorded.

Of a run that is not over, a prefix of each series is known. Samples are only ever added behind them, so that
``max(x)`` and ``count(x)`` do not fall any more, ``min(x)`` does not rise, the sum of what cannot be negative
does not fall, ``first(x)`` stays, and ``all(…)`` stays false once one sample made it so. The rest is interval
reasoning (:mod:`pv.expression.interval`): sound, and not complete. Nothing is said of quotients, which a rule
compares rounded.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping

from pv.check import Metric
from pv.expression.evaluator import Evaluator
from pv.expression.exact import InvalidOperandError, Real
from pv.expression.interval import Bounds, Interval, decide, extent
from pv.expression.syntax import (
    Aggregate,
    Arithmetic,
    Call,
    Comparison,
    Junction,
    Name,
    Negative,
    Node,
    Not,
    Number,
    children,
    names,
)
from pv.expression.values import Measurements, faults

__all__ = ["failed_already"]

_FALSE = Comparison((Number(1), Number(0)), ("<",))


def failed_already(rule: Iterable[Node], measurements: Measurements, metrics: Mapping[str, Metric]) -> bool:
    """Tell whether some line of `rule` is false of every continuation of `measurements`.

    Parameters
    ----------
    rule
        The trees of its lines.
    measurements
        What was recorded so far; a series that has a sample that cannot be judged decides nothing here.
    metrics
        The declared metrics, by name.
    """
    known = {
        name: series
        for name, series in measurements.items()
        if series and name in metrics and not any(faults(metrics[name], series))
    }
    return any(_Prefix(known, metrics).never(line) for line in rule)


@dataclasses.dataclass
class _Prefix:
    """What is known of a run that goes on: `reached` says where operands of a rule can still come to lie."""

    known: Measurements
    metrics: Mapping[str, Metric]
    reached: dict[str, Interval] = dataclasses.field(default_factory=dict)

    def never(self, line: Node) -> bool:
        """Tell whether `line` is false in the end."""
        rewritten = self._truth(line)
        unbounded = {name: Metric(name) for name in self.reached}
        return decide(rewritten, Bounds(unbounded, samples=dict(self.reached))) is False

    def _truth(self, node: Node) -> Node:
        match node:
            case Junction(operator, operands):
                return Junction(operator, tuple(self._truth(operand) for operand in operands))
            case Not(operand):
                return Not(self._truth(operand))
            case Comparison(operands, operators) if not {"in", "not in"} & set(operators):
                return Comparison(tuple(self._value(operand) for operand in operands), operators)
            case Aggregate("all", argument) if self._one_is_false(argument):
                return _FALSE
            case _:
                return Comparison((self._operand(Interval()), Number(0)), ("<",))

    def _value(self, node: Node) -> Node:
        """Return `node` with each operand that samples decide replaced by a name that has its interval."""
        match node:
            case Name() | Aggregate():
                return self._operand(self._reach(node))
            case Negative(operand):
                return Negative(self._value(operand))
            case Call("abs", argument):
                return Call("abs", self._value(argument))
            case Arithmetic(operator, left, right) if operator != "/":
                return Arithmetic(operator, self._value(left), self._value(right))
            case _ if names(node):
                return self._operand(Interval())
            case _:
                return node

    def _operand(self, where: Interval) -> Node:
        name = f"operand_{len(self.reached)}"
        self.reached[name] = where
        return Name(name)

    def _reach(self, node: Node) -> Interval:
        if isinstance(node, Aggregate) and node.function == "count":
            recorded = self.known.get(node.argument.name, ()) if isinstance(node.argument, Name) else ()
            return Interval(len(recorded), math.inf)
        now = self._now(node)
        if now is None or _divides(node):
            return Interval()
        match node:
            case Name() | Aggregate("first", _):
                return Interval(now, now)
            case Aggregate("max", _):
                return Interval(now, math.inf)
            case Aggregate("min", _):
                return Interval(-math.inf, now)
            case Aggregate("sum", argument) if self._never_negative(argument):
                return Interval(now, math.inf)
            case _:
                return Interval()

    def _now(self, node: Node) -> Real | None:
        """Return the value that `node` has at present, if it has one."""
        if not names(node) <= self.known.keys():
            return None
        if isinstance(node, Name):  # of a second sample nothing is asked: where one is due, two are a fault
            node = Aggregate("first", node)
        try:
            value = Evaluator(self.known).scalar(node)
        except InvalidOperandError:
            return None
        return None if isinstance(value, str) else value

    def _one_is_false(self, argument: Node) -> bool:
        if not names(argument) <= self.known.keys():
            return False
        try:
            return not Evaluator(self.known).truth(Aggregate("all", argument))
        except InvalidOperandError:
            return False

    def _never_negative(self, argument: Node) -> bool:
        if any(self.metrics[name].slack for name in names(argument)):
            return False
        where = extent(argument, Bounds(self.metrics))
        return where is not None and where.low >= 0


def _divides(node: Node) -> bool:
    return (isinstance(node, Arithmetic) and node.operator == "/") or any(map(_divides, children(node)))
