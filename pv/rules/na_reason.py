from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import rule


@rule(
    "SCHEMA-021",
    "error",
    summary="an obligation is not applicable, without na_reason",
    remedy="Say under na_reason why the obligation does not apply.",
)
def na_reason(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find obligations that were put aside without a reason."""
    for obligation in contract.obligations:
        if obligation.not_applicable and not (obligation.na_reason or "").strip():
            yield (
                obligation.where_set_aside(),
                "the obligation is not applicable, without na_reason",
            )
