from __future__ import annotations

from collections.abc import Iterator

from pv.beat import beat_of, text_of
from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import rule


@rule(
    "BEAT-003",
    "error",
    summary="beat.metric is empty",
    remedy="Name what is measured, such as accuracy or tokens_per_sec.",
)
def beat_metric(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find benchmarks that measure nothing."""
    block = beat_of(contract)
    if block is not None and not text_of(block, "metric"):
        yield contract.document.where("beat", "metric"), "metric is empty"
