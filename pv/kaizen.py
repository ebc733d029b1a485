"""The record of an improvement, in contracts of kind ``kaizen``: what was measured before, and after.

The record stands at the top level: contract, title, kaizen, parent, status, date, baseline, target and
invariants. Values are compared by key; a number may be written as text with a unit (``<5``, ``6 ms``), and
units are not converted.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from typing import Any

from pv.contract import Contract

__all__ = ["STATUSES", "Movement", "is_cost", "movements", "pair", "quantity", "record"]

STATUSES = ("draft", "implemented", "implementing", "pending", "planned")

_QUANTITY = re.compile(r"(?:<=|>=|[<>~])?\s*(-?(?:\d+\.?\d*|\.\d+))\s*(?:[%+xs]|[mu]s|[KMG]i?B|B)?", re.ASCII)
_COSTS = ("alloc", "bytes", "churn", "launch", "overhead", "sync", "wasted", "_us", "_ms")
"""Parts of the names of metrics that an improvement is there to lower."""


@dataclasses.dataclass(frozen=True)
class Movement:
    """One metric that was measured on both sides."""

    name: str
    before: float
    after: float


def record(contract: Contract) -> Mapping[str, Any] | None:
    """Return the mapping that holds the record; None in contracts of other kinds."""
    return contract.document.value if contract.kind == "kaizen" else None


def pair(value: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
    """Return the metrics before and after: baseline and target, or baseline's own before and after."""
    baseline, target = value.get("baseline"), value.get("target")
    if not isinstance(baseline, dict):
        return None
    before, after = baseline.get("before"), baseline.get("after")
    if isinstance(before, dict) and isinstance(after, dict):
        return before, after
    return (baseline, target) if isinstance(target, dict) else None


def movements(value: Mapping[str, Any]) -> list[Movement] | None:
    """Return the metrics that are numbers on both sides; None where there are not two sides."""
    sides = pair(value)
    if sides is None:
        return None
    before, after = sides
    return [
        Movement(name, was, is_now)
        for name in before
        if name in after
        if (was := quantity(before[name])) is not None and (is_now := quantity(after[name])) is not None
    ]


def quantity(value: Any) -> float | None:
    """Return the number that `value` is, or is the text of; None for what moves along no axis.

    >>> quantity("<= 12"), quantity("2026-03-04"), quantity(True)
    (12.0, None, None)
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value  # as written: beyond 2**53 two integers would be one float
    if isinstance(value, str) and (found := _QUANTITY.fullmatch(value.strip().replace("_", ""))):
        number = float(found[1])
        return number if math.isfinite(number) else None
    return None


def is_cost(name: str) -> bool:
    """Tell whether less of the metric `name` is better."""
    return any(part in name.lower() for part in _COSTS)
