from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.kaizen import record
from pv.rules.rule import rule


@rule(
    "KAIZEN-001",
    "error",
    summary="an improvement has no id under contract",
    remedy="Write `contract:` at the top level: other records name it by that.",
)
def kaizen_identity(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find records that nothing can refer to."""
    value = record(contract)
    if value is not None and not value.get("contract"):
        yield contract.document.where_key("contract"), "the improvement has no id under contract"
