from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pv.config import FILE_NAME
from pv.contract import Contract, Falsifier
from pv.errors import Location
from pv.rules.rule import Offence, project_rule

if TYPE_CHECKING:
    from pv.project import Project


@project_rule(
    "PV-SUBJECT-001",
    "error",
    summary="a falsifier names a subject that pv.toml does not have",
    remedy=f"Add the subject to {FILE_NAME}, or correct its name.",
)
def subject(contract: Contract, project: Project) -> Iterator[Offence]:
    """Find names that stand for no artefact."""
    for falsifier in contract.falsifiers:
        if falsifier.check is None and falsifier.stated_property is None:
            continue  # the subjects of other kinds may be paths
        for name, where in _named(falsifier):
            if name not in project.config.subjects:
                yield Offence(where, f"{falsifier.id}: subject {name!r} is not in {FILE_NAME}")


def _named(falsifier: Falsifier) -> Iterator[tuple[str, Location]]:
    for level, roles in falsifier.subjects.items():
        for role, name in roles.items():
            yield name, falsifier.value_where("subjects", level, role)
    for role, name in (falsifier.satisfying_example or {}).get("subjects", {}).items():
        yield name, falsifier.value_where("satisfying_example", "subjects", role)
