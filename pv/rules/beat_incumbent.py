from __future__ import annotations

from collections.abc import Iterator

from pv.beat import INCUMBENTS, beat_of, text_of
from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import rule


@rule(
    "BEAT-002",
    "error",
    summary="beat.incumbent names none of the products that benchmarks are about",
    remedy=f"Name one of {', '.join(INCUMBENTS)}.",
)
def beat_incumbent(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find benchmarks against nobody."""
    block = beat_of(contract)
    if block is None:
        return
    incumbent = text_of(block, "incumbent")
    if not any(name in incumbent.lower() for name in INCUMBENTS):
        what = f"incumbent {incumbent!r} is none that is known" if incumbent else "incumbent is empty"
        yield contract.document.where("beat", "incumbent"), what
