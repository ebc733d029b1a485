from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pv.claims import unsupported_claims
from pv.contract import Contract
from pv.rules.rule import Offence, project_rule

if TYPE_CHECKING:
    from pv.project import Project


@project_rule(
    "PV-STATUS-003",
    "error",
    elsewhere="warning",
    summary="a discharge_status is no status",
    remedy="Write one that `pv status` shows, or leave it out.",
)
def status_unknown(contract: Contract, project: Project) -> Iterator[Offence]:
    """Find words that are none of the ladder."""
    for claim in unsupported_claims(contract, project, "unknown"):
        yield Offence(claim.falsifier.value_where("discharge_status"), claim.message, claim.remedy)
