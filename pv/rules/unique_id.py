from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pv.contract import Contract, Obligation
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
            for name, path in _named(other):
                if name in own:
                    there = other.document.where(*path)
                    place = f"{project.shown(there.path)}:{there.line}:{there.column}"
                    where = contract.document.where(*own[name])
                    yield Offence(where, f"the id {name} is used by another contract: {place}")
    first: dict[str, Obligation] = {}
    for obligation in contract.obligations:
        if obligation.id:
            if obligation.id in first:
                line = first[obligation.id].value_where("id").line
                message = f"the obligation id {obligation.id} was used before, on line {line}"
                yield Offence(obligation.value_where("id"), message)
            first.setdefault(obligation.id, obligation)


def _named(contract: Contract) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    """Yield the ids and aliases of `contract`, and under which steps of its document each stands."""
    for falsifier in contract.falsifiers:
        yield falsifier.id, (*falsifier.path, "id")
        for index, alias in enumerate(falsifier.aliases):
            yield alias, (*falsifier.path, "aliases", index)
