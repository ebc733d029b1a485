"""Which metrics a falsifier's rule names, and of what kind they must be for the rule to make sense."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pv.check import Metric
from pv.contract import Falsifier
from pv.errors import BindingError, ExpressionError
from pv.expression import Expression, parse
from pv.expression.syntax import Aggregate, Collection, Comparison, Name, Node, Number, Text, children

__all__ = ["rule_metrics"]


def rule_metrics(falsifier: Falsifier) -> tuple[Metric, ...]:
    """Return a metric for every name in the rule, in the order of their first use.

    What is compared with a text is a text. What is held equal to an integer, or to ``count(…)``, counts.
    Anything else is a real number.

    Raises
    ------
    BindingError
        A line is no expression; with its place in the contract.
    """
    expressions = list(_expressions(falsifier))
    roots = [expression.root for expression in expressions]
    texts = _spread(roots, _is_text)
    counts = _spread(roots, _is_integer) - texts
    ordered = dict.fromkeys(name for root in roots for name in _in_order(root))
    return tuple(
        Metric(name, kind="text" if name in texts else "count" if name in counts else "real")
        for name in ordered
    )


def _expressions(falsifier: Falsifier) -> Iterator[Expression]:
    for level, lines in falsifier.expect.items():
        for index, line in enumerate(lines):
            try:
                yield parse(line)
            except ExpressionError as error:
                where = falsifier.expectation_where(level, index)
                raise BindingError(error.what, where=where, remedy=error.remedy) from error


def _in_order(node: Node) -> Iterator[str]:
    if isinstance(node, Name):
        yield node.name
    for child in children(node):
        yield from _in_order(child)


def _links(node: Node) -> Iterator[tuple[Node, str, Node]]:
    if isinstance(node, Comparison):
        yield from node.links()
    for child in children(node):
        yield from _links(child)


def _spread(roots: Sequence[Node], is_kind: Callable[[Node], bool]) -> set[str]:
    """Return the names that are compared with what is of a kind, or with a name that is."""
    # An integer that only bounds a quantity says nothing of it: an error may be at most 1.
    compared = [
        (left, right)
        for root in roots
        for left, symbol, right in _links(root)
        if symbol in {"==", "!=", "in", "not in"}
    ]
    links = [*compared, *((right, left) for left, right in compared)]
    found: set[str] = set()
    while True:
        more = {
            name
            for one, other in links
            if (name := _name(one)) and name not in found and (is_kind(other) or _name(other) in found)
        }
        if not more:
            return found
        found |= more


def _name(node: Node) -> str | None:
    """Return the metric whose samples `node` is one of."""
    match node:
        case Name(name) | Aggregate("first" | "last" | "min" | "max", Name(name)):
            return name
        case _:
            return None


def _is_text(node: Node) -> bool:
    match node:
        case Text():
            return True
        case Collection(items):
            return isinstance(items[0], str)
        case _:
            return False


def _is_integer(node: Node) -> bool:
    match node:
        case Aggregate("count", _):
            return True
        case Number(value):
            return isinstance(value, int)
        case _:
            return False
