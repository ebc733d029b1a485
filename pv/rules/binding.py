from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pv.contract import Contract
from pv.errors import PvError
from pv.rules.rule import Offence, project_rule

if TYPE_CHECKING:
    from pv.project import Project

_KEYS = {"check": "check", "property": "stated_property", "pytest": "pytest", "command": "command"}


@project_rule(
    "PV-CHECK-001",
    "error",
    summary="what a falsifier is bound to is not there, or its declaration cannot be read",
    remedy="Name a function that is declared with @check, a test, or a program that is there.",
)
def binding(contract: Contract, project: Project) -> Iterator[Offence]:
    """Find falsifiers whose check could never run; files are parsed, not imported."""
    for falsifier in contract.falsifiers:
        key = next((key for key, name in _KEYS.items() if getattr(falsifier, name)), None)
        if key is None:
            continue
        try:
            project.binding(falsifier)
        except PvError as error:
            within = error.where is not None and error.where.path == falsifier.document.path
            where = error.where if within and error.where else falsifier.value_where(key)
            place = f"{error.where}: " if error.where and not within else ""
            remedy = f"{error.remedy[:1].upper()}{error.remedy[1:]}." if error.remedy else ""
            yield Offence(where, f"{falsifier.id}: {place}{error.what}", remedy)
