from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import rule


@rule(
    "PV-HARNESS-001",
    "warning",
    summary="a Kani harness is for an obligation that its contract does not have",
    remedy="Give the obligation an `id:`, and name it in the harness.",
)
def harness_target(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find harnesses that point at nothing: neither the id nor the property of an obligation."""
    known = {text.strip() for o in contract.obligations for text in (o.id or "", o.property)}
    for harness in contract.kani:
        target = harness.obligation.strip()
        if target and target not in known:
            where = harness.value_where("obligation")
            yield where, f"harness {harness.id}: the contract has no obligation {target}"
