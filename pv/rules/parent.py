from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import rule


@rule(
    "SCHEMA-016",
    "error",
    summary="parent_contract stands on an obligation that is no subcontract",
    remedy="Remove parent_contract, or make the type subcontract.",
)
def parent(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find parents of what inherits nothing."""
    for obligation in contract.obligations:
        if obligation.parent_contract is not None and obligation.type != "subcontract":
            message = f"parent_contract stands on a {obligation.type}, which inherits from no contract"
            yield obligation.key_where("parent_contract"), message
