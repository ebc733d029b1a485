from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import rule


@rule(
    "SCHEMA-014",
    "error",
    summary="requires stands on an obligation that is no postcondition",
    remedy="Remove requires, or make the type postcondition.",
)
def requires(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find requirements of what is not promised upon them."""
    for obligation in contract.obligations:
        if obligation.requires is not None and obligation.type != "postcondition":
            message = f"requires stands on a {obligation.type}, which promises nothing upon a condition"
            yield obligation.key_where("requires"), message
