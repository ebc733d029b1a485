"""What a project asks of its gate: ``[gate]`` of ``pv.toml``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from pydantic_core import core_schema as core

from pv.needs import seconds

__all__ = ["DEFAULT_POLICY", "FIELDS", "GatePolicy", "policy_of"]

Severity = Literal["warn", "fail"]

FIELDS: Mapping[str, core.CoreSchema] = {
    "stale": core.literal_schema(["warn", "fail"]),
    "broken": core.literal_schema(["warn", "fail"]),
    "run": core.bool_schema(),
    "budget": core.no_info_after_validator_function(seconds, core.str_schema()),
}


@dataclasses.dataclass(frozen=True)
class GatePolicy:
    """How ``pv gate`` ends where nobody says it on the command line.

    `stale` and `broken` say whether a change is rejected that makes evidence stale which this host could make
    again, or that brings evidence of a failure. `budget` is in seconds; None is no limit.
    """

    stale: Severity = "warn"
    broken: Severity = "fail"
    run: bool = False
    budget: float | None = None


DEFAULT_POLICY = GatePolicy()


def policy_of(stated: Mapping[str, Any]) -> GatePolicy:
    """Return the policy that a ``[gate]`` table, of the shape of :data:`FIELDS`, states."""
    return GatePolicy(**stated)
