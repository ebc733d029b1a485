from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import rule


@rule(
    "SCHEMA-012",
    "warning",
    summary="a Kani harness has no bound",
    remedy="Write the bound up to which the harness unwinds.",
)
def harness_bound(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find bounded proofs that do not say how far they reach."""
    for harness in contract.kani:
        if harness.bound is None:
            yield harness.value_where("bound"), f"harness {harness.id} has no bound"
