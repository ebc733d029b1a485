from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import rule


@rule(
    "SCHEMA-004",
    "error",
    summary="an equation of a kernel has an empty formula",
    remedy="Write the formula.",
)
def formula(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find named equations that equate nothing."""
    for equation in contract.equations if contract.is_kernel else ():
        if not equation.formula.strip():
            where = equation.value_where("formula")
            yield where, f"equation {equation.name} has an empty formula"
