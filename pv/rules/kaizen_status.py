from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.kaizen import STATUSES, record
from pv.rules.rule import rule


@rule(
    "KAIZEN-002",
    "error",
    summary="the status of an improvement is none that there is",
    remedy=f"Write one of {', '.join(STATUSES)}.",
)
def kaizen_status(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find improvements of which nobody can tell how far they are."""
    value = record(contract)
    if value is None:
        return
    status = (value.get("status") or "").strip()
    if status not in STATUSES:
        what = f"status {status!r} is none of {', '.join(STATUSES)}" if status else "there is no status"
        yield contract.document.where("status"), what
