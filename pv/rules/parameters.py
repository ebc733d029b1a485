from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pv.contract import Contract
from pv.fit import misfits
from pv.rules.rule import Offence, project_rule

if TYPE_CHECKING:
    from pv.project import Project


@project_rule(
    "PV-CHECK-002",
    "error",
    summary="roles, arguments or levels of a falsifier do not fit the parameters of its check",
    remedy="Give every parameter of the check once: a role under `subjects:`, the rest under `with:`.",
)
def parameters(contract: Contract, project: Project) -> Iterator[Offence]:
    """Find clauses that a run would refuse."""
    for falsifier in contract.falsifiers:
        bound = project.binding_if_readable(falsifier)
        for misfit in () if bound is None else misfits(falsifier, bound):
            if misfit.kind == "parameter":
                remedy = f"{misfit.remedy[:1].upper()}{misfit.remedy[1:]}."
                yield Offence(misfit.where, f"{falsifier.id}: {misfit.what}", remedy)
