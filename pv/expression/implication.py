"""Whether a rule surely holds wherever another does, by syntax and by intervals.

True is certain. False says only that it could not be shown: the reasoning is sound and not complete. Of
metrics nothing is presumed, neither their range nor their kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pv.check import Metric
from pv.expression.interval import follows
from pv.expression.syntax import (
    MIRRORED,
    Aggregate,
    Arithmetic,
    Call,
    Collection,
    Comparison,
    Junction,
    Name,
    Node,
    Number,
    Text,
    children,
    conjuncts,
    names,
)

__all__ = ["implies"]

_EXTREME = {"<": "max", "<=": "max", ">": "min", ">=": "min"}
_DEEPEST = 3
"""So many disjunctions, one within the other, are taken case by case."""


def implies(premises: Sequence[Node], conclusions: Sequence[Node]) -> bool:
    """Tell whether measurements that satisfy all `premises` surely satisfy all `conclusions`.

    A rule fails on what was not measured, and on operands that have no value. So whatever the conclusions
    could stumble over must stand in the premises as well.
    """
    if not _demands(conclusions) <= _demands(premises):
        return False
    given = list(dict.fromkeys(_parts(premises)))
    return all(_holds(part, given, _DEEPEST) for part in _parts(conclusions))


def _demands(roots: Iterable[Node]) -> set[object]:
    """Return all that must be so before a rule says anything: samples that are there, operands of value."""
    found: set[object] = set()
    for root in roots:
        found |= {("named", name) for name in names(root)}
        found |= {("needed", name) for name in names(root, needed=True)}
        found |= set(_stumbling(root, within=False))
    return found


def _stumbling(node: Node, *, within: bool) -> Iterator[object]:
    match node:
        case Name(name) if not within:
            yield "one sample", name
        case Arithmetic("/", _, _) | Call("log", _):
            yield node
        case Aggregate(_, argument) if len(names(argument)) > 1:
            yield "as many samples", names(argument)
    for child in children(node):
        yield from _stumbling(child, within=within or isinstance(node, Aggregate))


def _parts(roots: Iterable[Node]) -> Iterator[Node]:
    """Yield what must hold part by part, chains taken apart, each in one of the ways to write it."""
    for root in roots:
        for part in conjuncts(root):
            match part:
                case Comparison():
                    yield from (_link(*link) for link in part.links())
                case Aggregate("all", body):
                    yield from (_of_all(inner) for inner in _parts([body]))
                case _:
                    yield part


def _link(left: Node, symbol: str, right: Node) -> Node:
    if symbol in MIRRORED and not names(left) and names(right):
        left, symbol, right = right, MIRRORED[symbol], left
    return Comparison((left, right), (symbol,))


def _of_all(body: Node) -> Node:
    match body:
        case Comparison((Name() as name, limit), (symbol,)) if symbol in _EXTREME and not names(limit):
            return Comparison((Aggregate(_EXTREME[symbol], name), limit), (symbol,))
        case _:
            return Aggregate("all", body)


def _holds(part: Node, given: Sequence[Node], depth: int) -> bool:
    if part in given or _member(part, given):
        return True
    match part:
        case Junction("or", operands) if any(_holds(operand, given, depth) for operand in operands):
            return True
        case Junction("and", operands):
            return all(_holds(inner, given, depth) for inner in _parts(operands))
    metrics = {name: Metric(name) for node in (part, *given) for name in names(node)}
    if follows(given, part, metrics):
        return True
    if depth:
        for index, premise in enumerate(given):
            if isinstance(premise, Junction) and premise.operator == "or":
                others = [*given[:index], *given[index + 1 :]]
                cases = ([*others, *_parts([operand])] for operand in premise.operands)
                if all(_holds(part, case, depth - 1) for case in cases):
                    return True
    return False


def _member(part: Node, given: Sequence[Node]) -> bool:
    """Tell whether `part` asks for one of several values and a premise leaves only such."""
    match part:
        case Comparison((left, Collection(items)), ("in",)):
            return any(
                isinstance(premise, Comparison)
                and premise.operands[0] == left
                and (values := _values(premise)) is not None
                and set(values) <= set(items)
                for premise in given
            )
        case Comparison((left, Collection(items)), ("not in",)):
            return any(
                isinstance(premise, Comparison)
                and premise.operators == ("not in",)
                and premise.operands[0] == left
                and isinstance(other := premise.operands[1], Collection)
                and set(items) <= set(other.items)
                for premise in given
            )
        case _:
            return False


def _values(premise: Comparison) -> tuple[int | float | str, ...] | None:
    match premise:
        case Comparison((_, Collection(items)), ("in",)):
            return items
        case Comparison((_, Number(value) | Text(value)), ("==",)):
            return (value,)
        case _:
            return None
