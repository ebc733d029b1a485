from __future__ import annotations

from collections.abc import Iterator

from pv.beat import COMPUTE, beat_of, text_of
from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import rule


@rule(
    "BEAT-007",
    "error",
    summary="beat.approved_compute is neither CPU nor GPU",
    remedy="Write CPU or GPU.",
)
def beat_compute(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find benchmarks of which nobody can tell where they may run."""
    block = beat_of(contract)
    if block is not None and text_of(block, "approved_compute").upper() not in COMPUTE:
        what = f"approved_compute {text_of(block, 'approved_compute')!r} is neither CPU nor GPU"
        yield contract.document.where("beat", "approved_compute"), what
