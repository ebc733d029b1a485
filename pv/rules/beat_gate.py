from __future__ import annotations

from collections.abc import Iterator

from pv.beat import beat_of, text_of
from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import rule


@rule(
    "BEAT-006",
    "error",
    summary="beat.ci_gate_name is empty",
    remedy="Name the test or the job of CI that holds the claim.",
)
def beat_gate(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find benchmarks that nothing runs."""
    block = beat_of(contract)
    if block is not None and not text_of(block, "ci_gate_name"):
        yield contract.document.where("beat", "ci_gate_name"), "ci_gate_name is empty"
