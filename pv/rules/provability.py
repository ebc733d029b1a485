from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import rule


@rule(
    "PROVABILITY-001",
    "error",
    summary="a kernel lacks obligations, falsifiers or harnesses, or has fewer falsifiers than obligations",
    remedy="Add what is missing, or say under metadata.kind what the contract is instead of a kernel.",
)
def provability(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find kernels whose claims could not be shown, or not be refuted."""
    if not contract.is_kernel:
        return
    assumed = "" if contract.kind_declared else " (no metadata.kind, judged kernel by default)"
    for section, items in (
        ("proof_obligations", contract.obligations),
        ("falsification_tests", contract.falsifiers),
        ("kani_harnesses", contract.kani),
    ):
        if not items:
            yield contract.document.where_key(section), f"the kernel has no {section}{assumed}"
    falsifiers, obligations = len(contract.falsifiers), len(contract.obligations)
    if 0 < falsifiers < obligations:
        where = contract.document.where_key("falsification_tests")
        yield where, f"{falsifiers} falsifier(s) for {obligations} proof obligations{assumed}"
