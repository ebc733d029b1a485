from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import Offence, project_rule

if TYPE_CHECKING:
    from pv.project import Project


@project_rule(
    "PV-ID-001",
    "error",
    summary="an id is used twice in the repository",
    remedy="Rename one of the two: a bare id must address one falsifier, and cover one obligation.",
)
def unique_id(contract: Contract, project: Project) -> Iterator[Offence]:
    """Find ids and aliases of falsifiers that another contract has too, and obligations of one id."""
    own = dict(_named(contract))
    if own:
        for other in project.others_naming(contract, own):
            for name, there in _named(other):
                if name in own:
                    place = f"{project.shown(there.path)}:{there.line}:{there.column}"
                    yield Offence(own[name], f"the id {name} is used by another contract: {place}")
    first: dict[str, int] = {}
    for obligation in contract.obligations:
        if obligation.id:
            where = obligation.value_where("id")
            if obligation.id in first:
                message = f"the obligation id {obligation.id} was used before, on line {first[obligation.id]}"
                yield Offence(where, message)
            first.setdefault(obligation.id, where.line)


def _named(contract: Contract) -> Iterator[tuple[str, Location]]:
    for falsifier in contract.falsifiers:
        yield falsifier.id, falsifier.value_where("id")
        for index, alias in enumerate(falsifier.aliases):
            yield alias, falsifier.value_where("aliases", index)
