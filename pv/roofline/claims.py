"""Performance claims: what rules demand of rates, and what records measured of them.

A metric is a rate where its declared unit is one (:data:`pv.roofline.units.RATES`), or where its unit is
``1/s`` and its name says of what: ``…tokens_per_second``.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Literal

from pv.check import Metric
from pv.contract import Contract, Falsifier
from pv.defects import parts_of, read_rule
from pv.errors import ExpressionError
from pv.evidence import Record
from pv.expression import measurements_from_json
from pv.expression.syntax import render
from pv.planning import levels_of
from pv.roofline.demanded import demanded
from pv.roofline.units import RATES, Kind
from pv.verify import metrics_from_json

__all__ = ["Claim", "Phase", "demands", "measured", "phase_of", "rate_of"]

Phase = Literal["decode", "prefill", "training", "unknown"]

_PHASES: tuple[tuple[Phase, re.Pattern[str]], ...] = (
    ("training", re.compile(r"train(?!ed)|fine.?tun(?!ed)", re.IGNORECASE)),  # not of what was trained
    ("prefill", re.compile(r"prefill|prompt.process", re.IGNORECASE)),
    ("decode", re.compile(r"decod|generat", re.IGNORECASE)),
)


@dataclasses.dataclass(frozen=True)
class Claim:
    """A rate that a rule demands, or that a record measured: some sample of it is at least `value`.

    `value` is in `kind`: tokens, bytes or operations a second.
    """

    contract: Contract
    falsifier: Falsifier
    level: str
    metric: str
    kind: Kind
    value: float
    said: str
    """The line of the rule, or where the record lies."""
    index: int | None = None
    """Which line of ``expect`` demands it; None of a measurement."""
    record: Record | None = None


def rate_of(metric: Metric) -> tuple[Kind, float] | None:
    """Return what `metric` counts a second, and how much one of its unit is; None where it is no rate."""
    if metric.unit == "1/s" and re.search(r"(^|_)tokens?_per_second$", metric.name):
        return "tokens/s", 1.0
    return RATES.get(metric.unit)


def demands(contract: Contract, falsifier: Falsifier, metrics: Mapping[str, Metric]) -> Iterator[Claim]:
    """Yield what the rule of `falsifier` demands of rates, at each level that it has."""
    for level in levels_of(falsifier):
        if level == "algorithm":
            continue  # it is about the rule, not about a machine
        for index, line in enumerate(falsifier.expectations(level)):
            try:
                parts = parts_of(read_rule([line]))
            except ExpressionError:
                continue
            for part in parts:
                for name, least in demanded(part).items():
                    rate = rate_of(metrics[name]) if name in metrics else None
                    if rate and least > 0:
                        value = _real(least) * rate[1]
                        yield Claim(contract, falsifier, level, name, rate[0], value, render(part), index)


def measured(contract: Contract, falsifier: Falsifier, record: Record) -> Iterator[Claim]:
    """Yield the highest of each rate that `record` measured, undamaged."""
    predicate = record.predicate
    metrics = metrics_from_json(predicate["rule"]["metrics"])
    for name, series in measurements_from_json(predicate["measurements"]).items():
        rate = rate_of(metrics[name]) if name in metrics else None
        values = [
            float(one)
            for one in series.values
            if isinstance(one, int | float) and not isinstance(one, bool) and math.isfinite(one)
        ]
        if rate and values:
            where = "/".join(record.path.parts[-3:])
            level = str(predicate["place"]["level"])
            yield Claim(
                contract, falsifier, level, name, rate[0], max(values) * rate[1], where, record=record
            )


def phase_of(claim: Claim) -> Phase:
    """Say what makes the tokens, by the first that tells: the metric, the check, the rule, the prediction."""
    falsifier = claim.falsifier
    for text in (claim.metric, falsifier.check or "", falsifier.rule, falsifier.prediction):
        for phase, pattern in _PHASES:
            if pattern.search(text):
                return phase
    return "unknown"


def _real(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError:  # higher than any ceiling
        return math.inf
