from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import rule


@rule(
    "SCHEMA-022",
    "error",
    summary="an obligation is not applicable, without na_owner",
    remedy="Name under na_owner who decided that the obligation does not apply.",
)
def na_owner(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find obligations that were put aside without anybody to answer for it."""
    for obligation in contract.obligations:
        if obligation.not_applicable and not (obligation.na_owner or "").strip():
            yield obligation.where_set_aside(), "the obligation is not applicable, without na_owner"
