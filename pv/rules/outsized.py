from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pv.contract import Contract
from pv.rules.rule import Offence, project_rule

if TYPE_CHECKING:
    from pv.project import Project

_NAMES = frozenset({"raise", "lower", "noise"})
"""Kinds of dose whose amount is in the metric's own unit."""


@project_rule(
    "PV-LIMIT-002",
    "warning",
    summary="a dose that must be noticed is wider than all that its metric can be",
    remedy="Require a dose that a measurement could have: this one is noticed whatever the rule says.",
)
def outsized(contract: Contract, project: Project) -> Iterator[Offence]:
    """Find doses that lead out of the metric's declared range, from wherever in it the measurement lies.

    A value out of range fails every rule, so that to notice such a dose shows nothing of this one.
    """
    for falsifier in contract.falsifiers:
        metrics = project.metrics_if_readable(falsifier) if falsifier.must_detect else None
        for kind, amount in falsifier.must_detect.items() if metrics else ():
            of, _, name = kind.rpartition(".")
            metric = metrics.get(of) if metrics else None
            if metric is None or name not in _NAMES or metric.low is None or metric.high is None:
                continue
            width = metric.high - metric.low
            if amount > width + metric.slack:
                where = contract.document.where_key(*falsifier.path, "must_detect", kind)
                yield Offence(
                    where,
                    f"{falsifier.id}: a {name} of {amount} leads out of the range of {of}, {width} wide",
                )
