from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import rule


@rule(
    "SCHEMA-001",
    "error",
    summary="metadata.references is empty",
    remedy="Cite the paper, specification or measurement that the claims come from.",
)
def references(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find contracts that cite no source."""
    if not contract.references:
        yield contract.document.where_key("metadata", "references"), "metadata.references must not be empty"
