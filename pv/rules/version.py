from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import rule


@rule(
    "SCHEMA-002",
    "error",
    summary="metadata.version is empty",
    remedy='Write a semantic version in quotes, such as "1.0.0".',
)
def version(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find contracts without the version that evidence would name."""
    if not contract.version.strip():
        yield contract.document.where("metadata", "version"), "metadata.version must not be empty"
