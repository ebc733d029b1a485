from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import rule


@rule(
    "SCHEMA-017",
    "error",
    summary="a parent_contract is not among metadata.depends_on",
    remedy="Add the parent's name (its file without the ending) to metadata.depends_on.",
)
def parent_dependency(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find parents that the contract does not say it depends on."""
    for obligation in contract.obligations:
        parent = obligation.parent_contract
        # On another type of obligation it has no meaning at all, and SCHEMA-016 says so.
        if parent is not None and obligation.type == "subcontract" and parent not in contract.depends_on:
            yield obligation.value_where("parent_contract"), f"metadata.depends_on does not list {parent!r}"
