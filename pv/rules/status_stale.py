from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pv.claims import unsupported_claims
from pv.contract import Contract
from pv.rules.rule import Offence, project_rule

if TYPE_CHECKING:
    from pv.project import Project


@project_rule(
    "PV-STATUS-002",
    "warning",
    elsewhere="warning",
    summary="a falsifier claims a status whose evidence went stale",
    remedy="Discharge it again.",
)
def status_stale(contract: Contract, project: Project) -> Iterator[Offence]:
    """Find claims that were borne out before something changed."""
    for claim in unsupported_claims(contract, project, "stale"):
        yield Offence(claim.falsifier.value_where("discharge_status"), claim.message, claim.remedy)
