"""The one expression language: rules of contracts, and selections.

``parse`` turns a line into an :class:`Expression`; ``evaluate`` says whether it holds of measurements;
``explain`` says by how much, and because of which samples.
"""

from __future__ import annotations

from pv.expression.evaluate import Judgement, evaluate
from pv.expression.margin import explain
from pv.expression.parse import parse
from pv.expression.syntax import Expression
from pv.expression.trace import Case, ComparisonTrace
from pv.expression.values import (
    Measurements,
    Series,
    measurements_from_json,
    measurements_to_json,
    plain,
    series_of,
)

__all__ = [
    "Case",
    "ComparisonTrace",
    "Expression",
    "Judgement",
    "Measurements",
    "Series",
    "evaluate",
    "explain",
    "measurements_from_json",
    "measurements_to_json",
    "parse",
    "plain",
    "series_of",
]
