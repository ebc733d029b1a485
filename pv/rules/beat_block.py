from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import rule


@rule(
    "BEAT-001",
    "error",
    summary="a contract of kind beat-benchmark has no beat block",
    remedy="Add `beat:` with incumbent, metric, direction, beat_threshold, ci_gate_name, approved_compute.",
)
def beat_block(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find benchmarks that say neither what is to be beaten nor by how much."""
    if contract.kind == "beat-benchmark" and contract.document.value.get("beat") is None:
        yield contract.document.where_key("beat"), "the benchmark has no beat block"
