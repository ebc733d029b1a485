from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pv.contract import Contract
from pv.errors import PvError
from pv.rules.rule import Offence, project_rule

if TYPE_CHECKING:
    from pv.project import Project


@project_rule(
    "PV-CHECK-001",
    "error",
    summary="a check is not there, or its declaration cannot be read",
    remedy="Name a function that is declared with @check in one of the project's sources.",
)
def binding(contract: Contract, project: Project) -> Iterator[Offence]:
    """Find falsifiers whose check could never run; the file is parsed, not imported."""
    for falsifier in contract.falsifiers:
        if falsifier.check is not None:
            try:
                project.binding(falsifier.check)
            except PvError as error:
                place = f"{error.where}: " if error.where else ""
                where = falsifier.value_where("check")
                yield Offence(where, f"{falsifier.id}: {place}{error.what}", _sentence(error.remedy))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""
