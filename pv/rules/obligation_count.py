from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import rule


@rule(
    "SCHEMA-024",
    "error",
    summary="verification_summary.total_obligations is not how many obligations there are",
    remedy="Correct the number, or remove the block: whoever needs it can count.",
)
def obligation_count(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find counts that drifted; a contract of kind schema may count obligations that stand elsewhere."""
    stated = contract.document.value.get("verification_summary")
    there = len(contract.obligations)
    if not isinstance(stated, dict) or (contract.kind == "schema" and not there):
        return
    total = stated["total_obligations"]
    if total != there:
        where = contract.document.where("verification_summary", "total_obligations")
        yield where, f"total_obligations is {total}, and the contract has {there} obligation(s)"
