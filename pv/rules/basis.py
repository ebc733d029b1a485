from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pv.contract import Contract
from pv.rules.rule import Offence, project_rule

if TYPE_CHECKING:
    from pv.project import Project


@project_rule(
    "PV-BASIS-001",
    "error",
    summary="a gate cites a falsifier or a metric that is not there",
    remedy="Name one falsifier, as contract#ID, that measures something, and a metric that it declares.",
)
def basis(contract: Contract, project: Project) -> Iterator[Offence]:
    """Find gates whose basis could never be gathered."""
    for falsifier in contract.falsifiers:
        for name, cited in falsifier.basis.items():
            found = project.named(cited.falsifier)
            message = ""
            if len(found) != 1:
                how = "several falsifiers" if found else "no falsifier"
                message = f"{cited.falsifier} is {how} of this project"
            elif found[0][1].basis:
                message = f"{cited.falsifier} measures nothing: it is a gate itself"
            elif (bound := project.binding_if_readable(found[0][1])) and cited.metric not in bound.metrics:
                message = f"{cited.falsifier} declares no metric {cited.metric}"
            if message:
                yield Offence(
                    falsifier.value_where("basis", name), f"{falsifier.id}: basis {name}: {message}"
                )
