"""What an expression says of measurements. It fails closed: an operand that is no measurement is Fail.

Every sample of every metric that is named is looked at first, so that an invalid operand is never hidden,
be it beneath ``not`` or behind an ``or`` that is true already.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping

from pv.check import Metric
from pv.expression.evaluator import Evaluator
from pv.expression.exact import InvalidOperandError
from pv.expression.syntax import Expression
from pv.expression.values import Measurements, faults

__all__ = ["Judgement", "evaluate", "operand_faults"]

_MOST_FAULTS = 5


@dataclasses.dataclass(frozen=True)
class Judgement:
    """What one expression says.

    Parameters
    ----------
    truth
        False also where there are faults.
    faults
        Why operands could not be judged; empty when they could.
    """

    truth: bool
    faults: tuple[str, ...] = ()


def operand_faults(
    expression: Expression, measurements: Measurements, metrics: Mapping[str, Metric]
) -> tuple[str, ...]:
    """Return why the metrics that `expression` names cannot be judged; empty when they can.

    A metric must be declared; it must have a sample unless only ``count`` names it; and each of its
    samples must be a number (or text) that the metric can have at all.
    """
    found: list[str] = []
    for name in sorted(expression.metrics):
        if name not in metrics:
            found.append(f"{name} is not a metric that the check declares")
            continue
        series = measurements.get(name)
        if not series:
            if name in expression.needed:
                found.append(
                    f"{name} was not recorded" if series is None else f"{name} was recorded without a sample"
                )
            continue
        found += itertools.islice(faults(metrics[name], series), _MOST_FAULTS)
    return tuple(found)


def evaluate(
    expression: Expression,
    measurements: Measurements,
    metrics: Mapping[str, Metric],
    evaluator: Evaluator | None = None,
) -> Judgement:
    """Judge `measurements` by one expression.

    Parameters
    ----------
    measurements
        The series that were recorded, by metric.
    metrics
        The declared metrics, by name.
    evaluator
        One for these `measurements`, where what it works out is wanted again.

    Returns
    -------
    Judgement
        Never raises for what was recorded: what cannot be judged is false, with the reason.
    """
    if found := operand_faults(expression, measurements, metrics):
        return Judgement(truth=False, faults=found)
    try:
        return Judgement((evaluator or Evaluator(measurements)).truth(expression.root))
    except InvalidOperandError as error:
        return Judgement(truth=False, faults=(str(error),))
