from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import rule


@rule(
    "SCHEMA-009",
    "warning",
    summary="a falsifier does not say what its failure means",
    remedy="Write under if_fails what is broken when the prediction is wrong.",
)
def if_fails(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find falsifiers whose failure would point nowhere."""
    for falsifier in contract.falsifiers:
        if not falsifier.if_fails.strip():
            yield falsifier.value_where("if_fails"), f"{falsifier.id} does not say what its failure means"
