from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pv.contract import Contract
from pv.fit import misfits
from pv.rules.rule import Offence, project_rule

if TYPE_CHECKING:
    from pv.project import Project


@project_rule(
    "PV-PLANT-001",
    "error",
    summary="a falsifier lists a counter-example that its check does not plant",
    remedy="Correct the name, or plant it beside the check.",
)
def plant(contract: Contract, project: Project) -> Iterator[Offence]:
    """Find counter-examples that are only claimed to be caught."""
    for falsifier in contract.falsifiers:
        bound = project.binding_if_readable(falsifier)
        for misfit in () if bound is None else misfits(falsifier, bound):
            if misfit.kind == "plant":
                remedy = f"{misfit.remedy[:1].upper()}{misfit.remedy[1:]}."
                yield Offence(misfit.where, f"{falsifier.id}: {misfit.what}", remedy)
