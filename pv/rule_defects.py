"""The proved defects of a contract's rules, each at the line of ``expect`` that has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pv.check import Metric
from pv.contract import Contract, Falsifier
from pv.defects import Defect, parts_of, proved_defects, read_rule
from pv.errors import ExpressionError, Location
from pv.expression.syntax import names, render

if TYPE_CHECKING:
    from pv.project import Project

__all__ = ["defects_of"]


def defects_of(contract: Contract, project: Project) -> Iterator[tuple[Falsifier, Defect, Location]]:
    """Yield what is proved against the rules of `contract`; those that cannot be read have PV-RULE-001."""
    for falsifier in contract.falsifiers:
        metrics = project.metrics_if_readable(falsifier)
        if metrics is None:
            continue
        for level, lines in falsifier.expect.items():
            try:
                found = proved_defects(read_rule(lines), metrics)
            except ExpressionError:
                continue
            for defect in found:
                for index in _lines_with(defect, lines, metrics):
                    yield falsifier, defect, falsifier.expectation_where(level, index)


def _lines_with(defect: Defect, lines: tuple[str, ...], metrics: Mapping[str, Metric]) -> Iterator[int]:
    """Yield the lines that have `defect`; of a contradiction between lines, the first."""
    if defect.kind == "unsatisfiable":
        alone = (i for i, line in enumerate(lines) if _kind(line, metrics) == "unsatisfiable")
        yield next(alone, 0)
        return
    for index, line in enumerate(lines):
        roots = read_rule([line])
        if defect.kind == "undeclared":
            has = defect.text in frozenset().union(*map(names, roots))
        else:
            has = defect.text in map(render, parts_of(roots))
        if has:
            yield index


def _kind(line: str, metrics: Mapping[str, Metric]) -> str:
    return next((defect.kind for defect in proved_defects(read_rule([line]), metrics)), "")
