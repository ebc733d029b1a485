from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pv.blocking import problems
from pv.contract import Contract
from pv.rules.rule import Offence, project_rule

if TYPE_CHECKING:
    from pv.project import Project


@project_rule(
    "PV-BLOCK-001",
    "error",
    elsewhere="error",
    summary="a falsifier waits on one that no contract has, or on itself",
    remedy="Name a falsifier by its id, or as contract#ID; break the circle.",
)
def blocking(contract: Contract, project: Project) -> Iterator[Offence]:
    """Find `blocks:` and `blocked_by:` that lead nowhere, or back."""
    if any(falsifier.blocks or falsifier.blocked_by for falsifier in contract.falsifiers):
        for where, message in problems(contract, project.joined):
            yield Offence(where, message)
