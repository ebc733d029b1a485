from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import rule


@rule(
    "SCHEMA-013",
    "warning",
    summary="a kernel has no qa_gate",
    remedy="Add `qa_gate:` with the checks that must pass before a release.",
)
def qa_gate(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find kernels that do not say what their release depends on."""
    if contract.is_kernel and contract.qa_gate is None:
        yield contract.document.where_key("qa_gate"), "the kernel has no qa_gate"
