from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pv.contract import Contract
from pv.rules.rule import Offence, project_rule

if TYPE_CHECKING:
    from pv.project import Project


@project_rule(
    "PV-HYPOTHESIS-001",
    "error",
    elsewhere="error",
    summary="a hypothesis can be refuted by nothing that is named, or has the id of another",
    remedy="Name under `predicts:` falsifiers by id, or as contract#ID, with the verdict that is to be seen.",
)
def hypothesis(contract: Contract, project: Project) -> Iterator[Offence]:
    """Find hypotheses that name falsifiers which no contract has, which are excluded, or share an id."""
    first: dict[str, int] = {}
    for each in contract.hypotheses:
        where = each.value_where("id")
        if each.id in first:
            yield Offence(
                where, f"the hypothesis {each.id} is there before, on line {first[each.id]}", "Rename one."
            )
        first.setdefault(each.id, where.line)
        for name in each.predicts:
            place = each.value_where("predicts", name)
            found = project.joined.resolve(name, contract)
            if not found:
                yield Offence(place, f"{each.id} predicts {name}, which no contract has")
            elif len(found) > 1:
                yield Offence(place, f"{each.id} predicts {name}, which may be {' or '.join(found)}")
            elif _excluded(found[0], project):
                yield Offence(
                    place,
                    f"{each.id} predicts {name}, which is excluded: nothing will ever be measured of it",
                )


def _excluded(address: str, project: Project) -> bool:
    stem, _, identifier = address.rpartition("#")
    return any(f.id == identifier and f.excluded for f in project.joined.contracts[stem].falsifiers)
