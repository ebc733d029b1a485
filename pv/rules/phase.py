from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import rule


@rule(
    "SCHEMA-015",
    "error",
    summary="applies_to_phase stands on an obligation about no loop",
    remedy="Remove applies_to_phase, or make the type loop_invariant or loop_variant.",
)
def phase(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find phases of what has none."""
    for obligation in contract.obligations:
        is_loop = obligation.type in {"loop_invariant", "loop_variant"}
        if obligation.applies_to_phase is not None and not is_loop:
            message = f"applies_to_phase stands on a {obligation.type}, which has no phases"
            yield obligation.key_where("applies_to_phase"), message
