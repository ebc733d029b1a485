from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pv.contract import Contract
from pv.rules.rule import Offence, project_rule

if TYPE_CHECKING:
    from pv.project import Project


@project_rule(
    "PV-ID-002",
    "error",
    elsewhere="error",
    summary="two contracts have one name",
    remedy="Rename one of the files: contracts refer to each other, and evidence is kept, by that name.",
)
def unique_stem(contract: Contract, project: Project) -> Iterator[Offence]:
    """Find files of one stem in different folders, or with different endings."""
    where = None
    for path in project.twins(contract):
        where = where or contract.document.where()
        yield Offence(where, f"another contract is named {contract.stem}: {project.shown_file(path)}")
