from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import rule


@rule(
    "SCHEMA-018",
    "error",
    summary="kind stands at the top level, where nothing reads it",
    remedy="Write it under metadata, and remove it here.",
)
def top_level_kind(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find contracts that say what they are where it is dropped."""
    if "kind" in contract.document.value:
        message = f"the top-level kind is read by nothing: the contract is judged as a {contract.kind}"
        yield contract.document.where_key("kind"), message
