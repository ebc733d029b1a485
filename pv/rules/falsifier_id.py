from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import rule


@rule(
    "SCHEMA-007",
    "error",
    summary="two falsifiers of a contract have one id",
    remedy="Give each falsifier, aliases included, an id of its own within the contract.",
)
def falsifier_id(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find ids that do not address one falsifier, and its evidence."""
    first: dict[str, int] = {}
    for falsifier in contract.falsifiers:
        named = [(falsifier.id, falsifier.value_where("id"))]
        named += [(alias, falsifier.value_where("aliases", i)) for i, alias in enumerate(falsifier.aliases)]
        for name, where in named:
            if name in first:
                yield where, f"the id {name} was used before, on line {first[name]}"
            else:
                first[name] = where.line
