"""All attempts, by family and number."""

from __future__ import annotations

from benchmarks.fraud.attempt import Attempt
from benchmarks.fraud.looking import LOOKING
from benchmarks.fraud.measuring import MEASURING
from benchmarks.fraud.rules import RULES
from benchmarks.fraud.statuses import STATUSES

__all__ = ["ATTEMPTS", "FAMILIES"]

FAMILIES: dict[str, tuple[Attempt, ...]] = {
    "status": STATUSES,
    "rule": RULES,
    "measure": MEASURING,
    "look": LOOKING,
}
ATTEMPTS: dict[str, Attempt] = {
    f"{family}-{number}": attempt
    for family, attempts in FAMILIES.items()
    for number, attempt in enumerate(attempts, start=1)
}
