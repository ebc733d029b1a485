from __future__ import annotations

import math
from collections.abc import Iterator

from pv.beat import beat_of
from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import rule


@rule(
    "BEAT-005",
    "error",
    summary="beat.beat_threshold is missing or not finite",
    remedy="Write the value that is to be met.",
)
def beat_threshold(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find benchmarks without a value to meet; numbers that are not finite do not load."""
    block = beat_of(contract)
    if block is None:
        return
    threshold = block.get("beat_threshold")
    if threshold is None or not math.isfinite(threshold):
        yield contract.document.where("beat", "beat_threshold"), "beat_threshold is no finite number"
