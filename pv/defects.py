"""What is wrong with a rule by reasoning alone: no sample is made up, and what is said is proved.

A line that nothing admissible makes false is no test; a rule that nothing satisfies can only fail.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Literal

from pv.check import Metric
from pv.errors import ExpressionError
from pv.expression.interval import Bounds, contradictory, decide
from pv.expression.kinds import mismatch
from pv.expression.parse import parse
from pv.expression.syntax import Node, conjuncts, names, render

__all__ = ["Defect", "Kind", "parts_of", "proved_defects", "read_rule"]

Kind = Literal["wrong", "tautology", "unsatisfiable", "undeclared", "undetermined"]


@dataclasses.dataclass(frozen=True)
class Defect:
    """Why the rule is no good. ``undetermined`` is only a note: neither shown sound nor unsound."""

    kind: Kind
    text: str
    message: str


def read_rule(rule: Sequence[str]) -> list[Node]:
    """Parse the lines of a rule.

    Raises
    ------
    ExpressionError
        The rule has no line, or a line is not of the language.
    """
    if isinstance(rule, str) or not rule:
        raise ExpressionError(
            "the rule has no line, so that anything would satisfy it",
            remedy="write expect: with a list of at least one comparison",
        )
    return [parse(text).root for text in rule]


def parts_of(roots: Sequence[Node]) -> list[Node]:
    """Return what must hold of a rule part by part: its lines, taken apart at ``and``."""
    return list(dict.fromkeys(part for root in roots for part in conjuncts(root)))


def proved_defects(roots: Sequence[Node], metrics: Mapping[str, Metric]) -> tuple[Defect, ...]:
    """Return the defects that follow from the metrics' declared ranges; empty where none is proved."""
    return _proved(tuple(roots), tuple(sorted(metrics.items())))


@functools.lru_cache(maxsize=1024)  # a status asks what the rules of contracts have asked before
def _proved(roots: tuple[Node, ...], declared: tuple[tuple[str, Metric], ...]) -> tuple[Defect, ...]:
    metrics = dict(declared)
    undeclared = sorted(frozenset().union(*map(names, roots)) - set(metrics))
    if undeclared:
        return tuple(
            Defect("undeclared", name, f"the check declares no metric {name}; the rule can only fail")
            for name in undeclared
        )
    parts = parts_of(roots)
    rule = " and ".join(render(part) for part in parts)
    found = [
        Defect("tautology", render(part), "no value that the metrics can have makes it false")
        for part in parts
        if decide(part, Bounds(metrics)) is True
    ]
    mixed = [why for part in parts if (why := mismatch(part, metrics))]
    if mixed:
        found.append(Defect("unsatisfiable", rule, f"{mixed[0]}, which can only fail"))
    elif contradictory(parts, metrics):
        found.append(Defect("unsatisfiable", rule, "no values that the metrics can have make it true"))
    return tuple(found)
