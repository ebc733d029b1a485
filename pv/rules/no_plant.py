from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pv.contract import Contract
from pv.rules.rule import Offence, project_rule

if TYPE_CHECKING:
    from pv.project import Project

_KEYS = {"check": "check", "pytest": "pytest", "command": "command", "property": "stated_property"}


@project_rule(
    "PV-PLANT-002",
    "error",
    summary="a falsifier has no counter-example",
    remedy="Plant a defect that it must notice, and list it under counter_examples.",
)
def no_plant(contract: Contract, project: Project) -> Iterator[Offence]:
    """Find falsifiers that nothing shows able to fail; one that is refuted shows it itself."""
    for falsifier in contract.falsifiers:
        if falsifier.excluded or falsifier.outcome == "refuted" or falsifier.counter_examples:
            continue
        key = next((key for key in _KEYS if getattr(falsifier, _KEYS[key])), None)
        if key is None:
            continue  # bound to nothing, or to evidence whose own falsifiers are shown able to fail
        bound = project.binding_if_readable(falsifier)
        if bound is None or (falsifier.counter_examples is None and bound.counter_examples):
            continue
        where = falsifier.key_where("counter_examples" if falsifier.counter_examples == () else key)
        yield Offence(where, f"{falsifier.id}: no counter-example shows that it can fail")
