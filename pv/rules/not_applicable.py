from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import rule


@rule(
    "SCHEMA-023",
    "error",
    summary="na_reason or na_owner stands on an obligation that applies",
    remedy="Write `applies_to: not_applicable`, or remove the key.",
)
def not_applicable(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find reasons why an obligation does not apply, where it does."""
    for obligation in contract.obligations:
        for key in ("na_reason", "na_owner"):
            if not obligation.not_applicable and obligation.raw.get(key) is not None:
                yield obligation.key_where(key), f"the obligation has {key}, and applies"
