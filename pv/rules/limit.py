from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pv.check import Metric, Value
from pv.contract import Contract
from pv.defects import read_rule
from pv.dosing import Amount, Dosed, dosed_series
from pv.errors import ExpressionError
from pv.expression.syntax import names, render
from pv.expression.values import Series
from pv.rules.rule import Offence, project_rule
from pv.verdict import passes

if TYPE_CHECKING:
    from pv.project import Project

_WORSE = {"raise": "low", "lower": "high"}
"""Kind of dose → the bound of the metric from which it leads away."""


@project_rule(
    "PV-LIMIT-001",
    "warning",
    summary="a dose that must be noticed is exactly what the rule allows",
    remedy="Require a larger dose, or allow less.",
)
def limit(contract: Contract, project: Project) -> Iterator[Offence]:
    """Find doses that take the best possible measurement exactly to what the rule allows, and no further.

    They are noticed as long as what is measured lies off its best value, which another host may reach: a
    difference of 1e-8 here is none there.
    """
    for falsifier in contract.falsifiers:
        metrics = project.metrics_if_readable(falsifier) if falsifier.must_detect else None
        for kind, amount in falsifier.must_detect.items() if metrics else ():
            of, _, name = kind.rpartition(".")
            best = _best(metrics.get(of), name) if metrics else None
            if metrics is None or best is None:
                continue
            dose = Dosed(kind, amount, 0, of, on_series=True)
            for lines in falsifier.expect.values():
                if _exactly_allowed(lines, metrics, dose, best):
                    where = contract.document.where_key(*falsifier.path, "must_detect", kind)
                    what = f"where {of} is {best}, a {name} of {amount} is not noticed by its rule"
                    yield Offence(where, f"{falsifier.id}: {what}")
                    break


def _best(metric: Metric | None, name: str) -> Amount | None:
    if metric is None or name not in _WORSE or metric.kind == "text":
        return None
    return 0 if metric.kind == "count" and name == "raise" else getattr(metric, _WORSE[name])


def _exactly_allowed(lines: Sequence[str], metrics: Mapping[str, Metric], dose: Dosed, best: Amount) -> bool:
    """Tell whether the lines about the damaged metric hold of `best` with the dose, and of no number beyond.

    A line that names others as well, or that one sample does not satisfy, may notice it: not told here.
    """
    try:
        about = [*_about(dose.of, lines)]
        damaged = dosed_series({dose.of: Series((best,))}, dose)[dose.of].values[0]
        if not about or isinstance(damaged, str):
            return False
        away = 1 if dose.kind.endswith("raise") else -1
        beyond = damaged + away if isinstance(damaged, int) else math.nextafter(damaged, away * math.inf)

        def holds(value: Value) -> bool:
            return all(passes([line], {dose.of: Series((value,))}, metrics) for line in about)

        return holds(best) and holds(damaged) and not holds(beyond)
    except ExpressionError:
        return False


def _about(metric: str, lines: Sequence[str]) -> Iterator[str]:
    """Yield the lines about the values of `metric`: how many there are is another question."""
    for root in read_rule(lines):
        line = render(root).replace(f"count({metric})", "1")
        if metric in frozenset().union(*map(names, read_rule([line]))):
            yield line
