"""What a rule is beside the one that it replaces: weaker, stronger, equal, or not to be compared."""

from __future__ import annotations

from collections.abc import Sequence

from pv.errors import ExpressionError
from pv.expression.implication import implies
from pv.expression.parse import parse
from pv.expression.syntax import Node, names
from pv.meaning.change import LineChange, Relation
from pv.normal_form import normal_line

__all__ = ["line_changes", "relation"]


def relation(before: Sequence[str], after: Sequence[str]) -> Relation:
    """Return what the lines `after` are beside the lines `before`; all lines of a rule must hold.

    Weaker: whatever passed still passes, and it was not shown that the same fails. A line that is not of the
    language can only be equal to itself.
    """
    if sorted(map(normal_line, before)) == sorted(map(normal_line, after)):
        return "equal"
    try:
        old, new = _read(before), _read(after)
    except ExpressionError:
        return "incomparable"
    keeps, holds = implies(old, new), implies(new, old)
    if keeps and holds:
        return "equal"
    return "weaker" if keeps else "stronger" if holds else "incomparable"


def _read(lines: Sequence[str]) -> list[Node]:
    return [parse(line).root for line in lines]


def line_changes(before: Sequence[str], after: Sequence[str]) -> tuple[LineChange, ...]:
    """Return the lines that differ, in pairs where one took the place of another; each in canonical form."""
    old, new = [normal_line(line) for line in before], [normal_line(line) for line in after]
    gone = [line for line in dict.fromkeys(old) if line not in new]
    come = [line for line in dict.fromkeys(new) if line not in old]
    found: list[LineChange] = []
    for line in gone:
        partner = _partner(line, come)
        if partner is None:
            # What the rest still asks is not lost.
            lost = relation(new, [*new, line]) != "equal"
            found.append(LineChange(line, None, "weaker" if lost else "equal"))
        else:
            come.remove(partner)
            found.append(LineChange(line, partner, relation([line], [partner])))
    for line in come:
        gained = relation(old, [*old, line]) != "equal"
        found.append(LineChange(None, line, "stronger" if gained else "equal"))
    return tuple(found)


def _partner(line: str, others: Sequence[str]) -> str | None:
    """Return what took the place of `line`: one that can be compared, or asks of the same metrics."""
    comparable = (other for other in others if relation([line], [other]) != "incomparable")
    if (found := next(comparable, None)) is not None:
        return found
    return next((other for other in others if _metrics(other) and _metrics(other) == _metrics(line)), None)


def _metrics(line: str) -> frozenset[str]:
    try:
        return names(parse(line).root)
    except ExpressionError:
        return frozenset()
