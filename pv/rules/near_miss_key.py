from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.rules.keys import misspelt
from pv.rules.rule import rule

OF_METADATA = ("depends_on", "references", "registry", "model")
"""Keys of the metadata that change what a contract means, and mean nothing at the top."""


@rule(
    "PV-KEY-001",
    "error",
    elsewhere="warning",
    summary="a key is a slip of one that is read, or stands where it is not",
    remedy="Correct the key: what stands under an unknown one is read by nothing.",
)
def near_miss_key(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find values that are dropped because their key is misspelt."""
    document = contract.document
    for key in OF_METADATA:
        if key in document.value:
            yield document.where_key(key), f"{key} is read by nothing here; it is read under metadata"
    for key, meant in misspelt(contract.metadata, "metadata"):
        yield document.where_key("metadata", key), _message(f"metadata.{key}", meant)
    for obligation in contract.obligations:
        for key, meant in misspelt(obligation.raw, "obligation"):
            yield obligation.key_where(key), _message(f"the obligation's {key}", meant)
    for falsifier in contract.falsifiers:
        for key, meant in misspelt(falsifier.raw, "falsifier"):
            yield falsifier.key_where(key), _message(f"{falsifier.id}: {key}", meant)


def _message(what: str, meant: str) -> str:
    return f"{what} is read by nothing; did you mean {meant}?"
