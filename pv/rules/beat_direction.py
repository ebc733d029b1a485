from __future__ import annotations

from collections.abc import Iterator

from pv.beat import DIRECTIONS, beat_of, text_of
from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import rule


@rule(
    "BEAT-004",
    "error",
    summary="beat.direction says not which way is better",
    remedy=f"Write {' or '.join(DIRECTIONS)}.",
)
def beat_direction(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find benchmarks of which nobody can tell a win from a loss."""
    block = beat_of(contract)
    if block is not None and text_of(block, "direction") not in DIRECTIONS:
        what = f"direction {text_of(block, 'direction')!r} is neither {' nor '.join(DIRECTIONS)}"
        yield contract.document.where("beat", "direction"), what
