from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.kaizen import is_cost, movements, record
from pv.rules.rule import rule


@rule(
    "KAIZEN-006",
    "error",
    summary="of the costs of an improvement, some rise and none falls",
    remedy="See whether before and after are exchanged; if they are not, it is no improvement.",
)
def kaizen_cost(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find records that were written the wrong way round; one cost may be paid for another."""
    value = record(contract)
    costs = [] if value is None else [each for each in movements(value) or () if is_cost(each.name)]
    rising = [each for each in costs if each.after > each.before]
    if rising and not any(each.after < each.before for each in costs):
        risen = "; ".join(f"{each.name} {each.before:g} to {each.after:g}" for each in rising)
        yield contract.document.where("target"), f"every cost rises or stays: {risen}"
