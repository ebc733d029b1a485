from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import Offence, project_rule
from pv.status import LADDER, NOT_GATED, contract_status, rank

if TYPE_CHECKING:
    from pv.project import Project


@project_rule(
    "PV-STATE-001",
    "warning",
    elsewhere="warning",
    summary="a contract's own status is above what is derived of its falsifiers",
    remedy="Write the derived status, or one of the author's words (PROPOSED, ACTIVE), or remove it.",
)
def state(contract: Contract, project: Project) -> Iterator[Offence]:
    """Find contracts that call themselves more than their ship-blocking falsifiers are."""
    for word, where in _stated(contract):
        name = word.strip().upper().replace("-", "_").replace(" ", "_").removeprefix("ACTIVE_")
        if name not in LADDER:
            continue
        derived = contract_status((f, project.status(contract, f)) for f in contract.falsifiers)
        if derived == NOT_GATED:
            yield Offence(where, f"the contract says {word}, but no falsifier of it is ship-blocking")
        elif (rank(derived) or 0) < LADDER.index(name):
            yield Offence(where, f"the contract says {word}, its worst ship-blocking falsifier is {derived}")


def _stated(contract: Contract) -> Iterator[tuple[str, Location]]:
    for path in (("metadata", "status"), ("status",)):
        value = contract.document.value
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        if isinstance(value, str):
            yield value, contract.document.where(*path)
