from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import rule


@rule(
    "SCHEMA-005",
    "error",
    summary="a proof obligation has an empty property",
    remedy="State the property that is to be shown.",
)
def obligation_property(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find obligations that oblige to nothing."""
    for index, obligation in enumerate(contract.obligations):
        if not obligation.property.strip():
            yield obligation.value_where("property"), f"proof obligation {index + 1} has an empty property"
