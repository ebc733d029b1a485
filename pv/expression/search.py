"""A seeded search for measurements that satisfy a rule, and that fail each of its parts.

Finding one is a proof; finding none proves nothing, and the survey says so. The search climbs: it changes one
metric at a time and keeps the change where no fewer parts hold.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from fractions import Fraction

from pv.check import Metric, Value
from pv.expression.boundary import LARGEST_SERIES, affine, around, comparisons, ordinary
from pv.expression.evaluate import evaluate
from pv.expression.exact import Real, constant
from pv.expression.syntax import Aggregate, Collection, Expression, Name, Node, Text, children, names
from pv.expression.values import Series, faults

__all__ = ["search"]

_TRIALS = 1_500
_PATIENCE = 150


def search(
    parts: Sequence[Node], metrics: Mapping[str, Metric]
) -> tuple[dict[str, Series] | None, frozenset[Node]]:
    """Search for a measurement that satisfies all `parts`, and for one that fails each.

    Returns
    -------
    tuple
        The passing measurement, or None; and the parts that some admissible measurement made false.
    """
    return _Search(parts, metrics).run()


class _Search:
    def __init__(self, parts: Sequence[Node], metrics: Mapping[str, Metric]) -> None:
        self._random = random.Random(0)  # noqa: S311 -- not cryptography: the same every time
        self._metrics = metrics
        self._parts = [(part, Expression(part)) for part in parts]
        self._names = sorted(frozenset().union(*map(names, parts)))
        numbers, texts = _literals(parts)
        self._values = {name: self._candidates(metrics[name], numbers, texts) for name in self._names}
        single = {name for part in parts for name in _single(part)}
        sizes = sorted({0, 1, 2, 3} | {n for n in map(round, numbers) if 0 <= n <= LARGEST_SERIES})
        self._sizes = {name: [1] if name in single else sizes for name in self._names}
        self._failed: set[Node] = set()
        # The same samples are one object, so that what was judged of them is found by identity.
        self._made: dict[tuple[str, int, Value, Value, int], Series] = {}
        self._judged: dict[tuple[int, ...], bool] = {}

    def run(self) -> tuple[dict[str, Series] | None, frozenset[Node]]:
        passing: dict[str, Series] | None = None
        current, score, idle = self._anything(), -1, 0
        for _ in range(_TRIALS):
            candidate = self._changed(current) if score >= 0 else current
            held = self._held(candidate)
            if held == len(self._parts):
                passing = passing or candidate
                if len(self._failed) == len(self._parts):
                    break
                held, idle = -1, _PATIENCE  # satisfied: look elsewhere for what fails
            idle = 0 if held > score else idle + 1
            if held >= score:
                current, score = candidate, held
            if idle > _PATIENCE:
                current, score, idle = self._anything(), -1, 0
        return passing, frozenset(self._failed)

    def _held(self, measured: dict[str, Series]) -> int:
        return sum(self._truth(part, expression, measured) for part, expression in self._parts)

    def _truth(self, part: Node, expression: Expression, measured: dict[str, Series]) -> bool:
        """Judge one part; most of what it names was judged some trial before."""
        key = (id(part), *[id(measured[name]) for name in expression.metrics])
        known = self._judged.get(key)
        if known is None:
            judgement = evaluate(expression, measured, self._metrics)
            known = self._judged[key] = judgement.truth
            if not known and not judgement.faults:
                self._failed.add(part)
        return known

    def _series(self, name: str) -> Series:
        size = self._random.choice(self._sizes[name])
        usual, other = self._random.choice(self._values[name]), self._random.choice(self._values[name])
        place = self._random.randrange(size) if size and self._random.random() < 0.5 else -1
        key = (name, size, usual, other if place >= 0 else usual, place)
        if key not in self._made:
            values = [usual] * size
            if place >= 0:
                values[place] = other
            self._made[key] = Series(tuple(values))
        return self._made[key]

    def _anything(self) -> dict[str, Series]:
        return {name: self._series(name) for name in self._names}

    def _changed(self, measured: dict[str, Series]) -> dict[str, Series]:
        changed = dict(measured)
        for name in self._random.sample(self._names, k=min(len(self._names), self._random.choice((1, 1, 2)))):
            changed[name] = self._series(name)
        return changed

    @staticmethod
    def _candidates(metric: Metric, numbers: Sequence[Real], texts: Sequence[str]) -> list[Value]:
        found: list[Value] = [ordinary(metric)]
        if metric.kind == "text":
            found += [*texts, "another text"]
        else:
            ends = [end for end in (metric.low, metric.high) if end is not None]
            for number in (*numbers, *ends, 0, 1, -1, 1000):
                found += [value for _, value in around(Fraction(number), integral=metric.kind == "count")]
            if len(ends) == 2:
                found.append(math.floor(sum(ends) / 2) if metric.kind == "count" else sum(ends) / 2)
        return [value for value in dict.fromkeys(found) if not any(faults(metric, Series((value,))))]


def _literals(parts: Sequence[Node]) -> tuple[list[Real], list[str]]:
    """Return the numbers and texts that `parts` compare with, and where operands turn."""
    numbers: set[Real] = set()
    texts: set[str] = set()
    for part in parts:
        for _, left, _, right in comparisons(part):
            for side, other in ((left, right), (right, left)):
                if isinstance(side, Collection | Text):
                    items = side.items if isinstance(side, Collection) else (side.value,)
                    texts |= {item for item in items if isinstance(item, str)}
                    numbers |= {item for item in items if not isinstance(item, str)}
                elif not names(side):
                    threshold = constant(side)
                    numbers.add(threshold)
                    operand = affine(other)
                    if operand is not None:
                        numbers.add(operand.root(threshold))
    return sorted(numbers), sorted(texts)


def _single(node: Node) -> frozenset[str]:
    """Return the metrics that `node` names without an aggregate: they are recorded once."""
    if isinstance(node, Aggregate):
        return frozenset()
    if isinstance(node, Name):
        return frozenset({node.name})
    return frozenset().union(*map(_single, children(node)))
