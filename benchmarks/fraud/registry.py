"""All attempts, by family and number."""

from __future__ import annotations

from benchmarks.fraud.attempt import Attempt
from benchmarks.fraud.bindings import BINDINGS
from benchmarks.fraud.changes import CHANGES
from benchmarks.fraud.looking import LOOKING
from benchmarks.fraud.measuring import MEASURING
from benchmarks.fraud.pipelines import PIPELINES
from benchmarks.fraud.properties import PROPERTIES
from benchmarks.fraud.reaching import REACHING
from benchmarks.fraud.records import RECORDS
from benchmarks.fraud.rules import RULES
from benchmarks.fraud.shortcuts import SHORTCUTS
from benchmarks.fraud.statuses import STATUSES
from benchmarks.fraud.unnamed import UNNAMED

__all__ = ["ATTEMPTS", "FAMILIES"]

FAMILIES: dict[str, tuple[Attempt, ...]] = {
    "status": STATUSES,
    "rule": RULES,
    "measure": MEASURING,
    "look": LOOKING,
    "reach": REACHING,
    "record": RECORDS,
    "binding": BINDINGS,
    "pipeline": PIPELINES,
    "change": CHANGES,
    "property": PROPERTIES,
    "shortcut": SHORTCUTS,
    "unnamed": UNNAMED,
}
ATTEMPTS: dict[str, Attempt] = {
    f"{family}-{number}": attempt
    for family, attempts in FAMILIES.items()
    for number, attempt in enumerate(attempts, start=1)
}
