from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import rule


@rule(
    "SCHEMA-011",
    "error",
    summary="a Kani harness names no obligation",
    remedy="Name the proof obligation that the harness is for.",
)
def harness_obligation(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find harnesses that prove nothing that was asked for."""
    for harness in contract.kani:
        if not harness.obligation.strip():
            yield harness.value_where("obligation"), f"harness {harness.id} names no obligation"
