from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import rule

_COMPARISONS = 20_000
"""So many words are compared for what was meant, a contract: a second's work."""


@rule(
    "PV-COVER-002",
    "error",
    elsewhere="warning",
    summary="a falsifier covers an obligation that its contract does not have",
    remedy="Correct the id, or add the obligation under proof_obligations.",
)
def covers(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find coverage that is claimed of nothing."""
    known = [obligation.id for obligation in contract.obligations if obligation.id]
    names = frozenset(known)
    looks = _COMPARISONS // max(len(known), 1)
    for falsifier in contract.falsifiers:
        for index, name in enumerate(falsifier.covers):
            if name not in names:
                close = _close(name, known) if looks > 0 else []
                looks -= 1
                meant = f"; did you mean {close[0]}?" if close else ""
                message = f"{falsifier.id}: the contract has no obligation {name}{meant}"
                yield falsifier.value_where("covers", index), message


def _close(name: str, known: list[str]) -> list[str]:
    import difflib  # late: names are rarely wrong

    return difflib.get_close_matches(name, known, n=1)
