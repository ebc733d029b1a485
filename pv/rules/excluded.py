from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import rule


@rule(
    "PV-EXCLUDED-001",
    "error",
    summary="a falsifier that something measures is left out of the tally",
    remedy="Take excluded: away, or, if nothing can measure it, what it is bound to.",
)
def excluded(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find falsifiers that are excluded although they are bound: that is for what nothing can measure."""
    for falsifier in contract.falsifiers:
        if falsifier.excluded and (falsifier.bound or falsifier.basis):
            yield (
                falsifier.value_where("excluded"),
                f"{falsifier.id} is excluded, although it is bound and can be measured",
            )
