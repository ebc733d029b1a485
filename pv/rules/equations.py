from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import rule


@rule(
    "SCHEMA-003",
    "error",
    summary="a kernel has no equation",
    remedy="Add the equation that it computes, or say under metadata.kind what the contract is instead.",
)
def equations(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find a kernel without an equation: there is nothing to compare it with."""
    if contract.is_kernel and not contract.equations:
        assumed = "" if contract.kind_declared else " (no metadata.kind, judged kernel by default)"
        yield contract.document.where_key("equations"), f"the kernel has no equation{assumed}"
