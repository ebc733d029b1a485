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
    # Places are looked up only for what is said: most documents are never searched for one.
    first: dict[str, tuple[str | int, ...]] = {}
    where = contract.document.where
    for falsifier in contract.falsifiers:
        named = [(falsifier.id, (*falsifier.path, "id"))]
        named += [(alias, (*falsifier.path, "aliases", i)) for i, alias in enumerate(falsifier.aliases)]
        for name, path in named:
            if name in first:
                yield where(*path), f"the id {name} was used before, on line {where(*first[name]).line}"
            else:
                first[name] = path
