from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pv.claims import unsupported_claims
from pv.contract import Contract
from pv.rules.rule import Offence, project_rule

if TYPE_CHECKING:
    from pv.project import Project


@project_rule(
    "PV-STATUS-001",
    "error",
    elsewhere="warning",
    summary="a falsifier claims a status that its evidence does not support",
    remedy="Discharge it, or write the status that holds.",
)
def status_above(contract: Contract, project: Project) -> Iterator[Offence]:
    """Find claims above their evidence."""
    for claim in unsupported_claims(contract, project, "above"):
        yield Offence(claim.falsifier.value_where("discharge_status"), claim.message, claim.remedy)
