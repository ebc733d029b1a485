from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.kaizen import movements, record
from pv.rules.rule import rule


@rule(
    "KAIZEN-005",
    "error",
    summary="no metric of an improvement moves",
    remedy="Write at least one metric as a number on both sides, and as another one after.",
)
def kaizen_movement(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find improvements that no number shows."""
    value = record(contract)
    moved = None if value is None else movements(value)
    if moved is None:
        return
    where = contract.document.where("target")
    if not moved:
        yield where, "no metric is a number both before and after"
    elif all(each.before == each.after for each in moved):
        yield where, f"after is as before: {', '.join(each.name for each in moved)}"
