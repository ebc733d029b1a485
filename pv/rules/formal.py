from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract, Obligation
from pv.errors import Location
from pv.rules.rule import rule


@rule(
    "SCHEMA-006",
    "warning",
    summary="two proof obligations have the same formal text",
    remedy="Remove one, or correct what was copied.",
)
def formal(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find a statement written twice: it counts one piece of work as two."""
    first: dict[str, Obligation] = {}
    for obligation in contract.obligations:
        text = (obligation.formal or "").strip()
        if text in first:
            line = first[text].value_where("formal").line
            yield obligation.value_where("formal"), f"the formal text was written before, on line {line}"
        elif text:
            first[text] = obligation
