from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract, Harness
from pv.errors import Location
from pv.rules.rule import rule


@rule(
    "SCHEMA-010",
    "error",
    summary="two Kani harnesses have one id",
    remedy="Give each harness an id of its own within the contract.",
)
def harness_id(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find ids that do not address one harness."""
    first: dict[str, Harness] = {}
    for harness in contract.kani:
        if harness.id in first:
            line = first[harness.id].value_where("id").line
            yield harness.value_where("id"), f"the harness id {harness.id} was used before, on line {line}"
        else:
            first[harness.id] = harness
