from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.rules.keys import misspelt
from pv.rules.rule import rule


@rule(
    "SCHEMA-019",
    "error",
    summary="a top-level key is a slip of one that is read",
    remedy="Correct the key: what stands under an unknown one is read by nothing.",
)
def near_miss(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find blocks that are dropped because their name is misspelt."""
    for key, meant in misspelt(contract.document.value, "contract"):
        message = f"the block {key} is read by nothing; did you mean {meant}?"
        yield contract.document.where_key(key), message
