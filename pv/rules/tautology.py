from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pv.contract import Contract
from pv.rule_defects import defects_of
from pv.rules.rule import Offence, project_rule

if TYPE_CHECKING:
    from pv.project import Project


@project_rule(
    "PV-RULE-003",
    "error",
    summary="a line of a rule is true of every value that its metrics can have",
    remedy="Write a threshold that something could miss, or remove the line.",
)
def tautology(contract: Contract, project: Project) -> Iterator[Offence]:
    """Find lines that are no test: proved from the declared ranges, not guessed."""
    for falsifier, defect, where in defects_of(contract, project):
        if defect.kind == "tautology":
            yield Offence(where, f"{falsifier.id}: {defect.text} is no test: {defect.message}")
