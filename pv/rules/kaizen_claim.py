from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.kaizen import pair, record
from pv.rules.rule import rule


@rule(
    "KAIZEN-003",
    "error",
    summary="an improvement states nothing that could be wrong",
    remedy="Add baseline and target, invariants, proof_obligations or falsification_tests.",
)
def kaizen_claim(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find records that no later measurement could contradict."""
    value = record(contract)
    if value is None:
        return
    invariants = value.get("invariants")
    stated = invariants not in (None, [], {})
    if not (pair(value) or stated or contract.obligations or contract.falsifiers):
        yield contract.document.where_key("contract"), "the improvement states nothing that could be wrong"
