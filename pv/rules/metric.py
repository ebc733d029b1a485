from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pv.contract import Contract
from pv.rule_defects import defects_of
from pv.rules.rule import Offence, project_rule

if TYPE_CHECKING:
    from pv.project import Project


@project_rule(
    "PV-RULE-002",
    "error",
    summary="a rule names a metric that its check does not declare",
    remedy="Correct the name, or declare and record the metric.",
)
def metric(contract: Contract, project: Project) -> Iterator[Offence]:
    """Find rules about what is never measured."""
    for falsifier, defect, where in defects_of(contract, project):
        if defect.kind == "undeclared":
            yield Offence(where, f"{falsifier.id}: {defect.message}")
