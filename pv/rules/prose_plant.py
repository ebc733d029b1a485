from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pv.contract import Contract, Falsifier
from pv.errors import Location
from pv.rules.rule import Offence, project_rule

if TYPE_CHECKING:
    from pv.project import Project

_KEY = "counter_example_classes"


@project_rule(
    "PV-PLANT-003",
    "warning",
    summary="a class of counter-examples is named in prose and not planted",
    remedy="Plant it under that name and list it under counter_examples, or remove the words.",
)
def prose_plant(contract: Contract, project: Project) -> Iterator[Offence]:
    """Find mutants that are described where nothing runs them."""
    for falsifier in contract.falsifiers:
        bound = project.binding_if_readable(falsifier)
        if bound is None and falsifier.bound and not falsifier.basis:
            continue
        has = () if bound is None else bound.counter_examples
        planted = has if falsifier.counter_examples is None else falsifier.counter_examples
        known = {_normal(name) for name in planted}
        for name, where in _classes(falsifier):
            if _normal(name) not in known:
                yield Offence(where, f"{falsifier.id}: {name!r} is named under {_KEY} and not planted")


def _normal(name: str) -> str:
    return re.sub(r"[\W_]+", "_", name.casefold()).strip("_")


def _classes(falsifier: Falsifier) -> Iterator[tuple[str, Location]]:
    """Yield each class: an item, up to a colon or a dash; or the name in, or the key of, a mapping."""
    listed = falsifier.raw.get(_KEY)
    if isinstance(listed, dict):
        for name in listed:
            yield name, falsifier.document.where_key(*falsifier.path, _KEY, name)
    for index, item in enumerate(listed if isinstance(listed, list) else ()):
        named = item
        if isinstance(item, dict):
            named = item.get("name", item.get("id", next(iter(item), None)))
        if isinstance(named, str) and (name := re.split(r":|\s[-\u2013\u2014]", named)[0].strip()):
            yield name, falsifier.value_where(_KEY, index)
