from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pv.contract import Contract
from pv.rule_defects import defects_of
from pv.rules.rule import Offence, project_rule

if TYPE_CHECKING:
    from pv.project import Project


@project_rule(
    "PV-RULE-004",
    "error",
    summary="no values that its metrics can have make a rule true",
    remedy="Correct the thresholds: as written, the claim fails whatever is measured.",
)
def unsatisfiable(contract: Contract, project: Project) -> Iterator[Offence]:
    """Find rules that can only fail: proved from the declared ranges, not guessed."""
    for falsifier, defect, where in defects_of(contract, project):
        if defect.kind == "unsatisfiable":
            yield Offence(where, f"{falsifier.id}: {defect.text} can only fail: {defect.message}")
