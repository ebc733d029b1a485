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
    for path in project.twins(contract):
        other = project.shown_file(path)
        yield Offence(contract.document.where(), f"another contract is named {contract.stem}: {other}")
