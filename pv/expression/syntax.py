"""The syntax tree of the expression language, and its canonical text.

``str(parse(text))`` is canonical: parsing it again gives an equal tree.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from typing import TypeAlias

__all__ = [
    "AGGREGATES",
    "BOOLEAN_AGGREGATES",
    "FUNCTIONS",
    "MIRRORED",
    "Aggregate",
    "Arithmetic",
    "Call",
    "Collection",
    "Comparison",
    "Expression",
    "Junction",
    "Name",
    "Negative",
    "Node",
    "Not",
    "Number",
    "Text",
    "children",
    "conjuncts",
    "names",
    "render",
]

AGGREGATES = frozenset({"min", "max", "mean", "median", "p95", "sum", "count", "first", "last", "any", "all"})
BOOLEAN_AGGREGATES = frozenset({"any", "all"})
MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
"""The operator that says the same with its sides exchanged."""
FUNCTIONS = frozenset({"abs", "log"})


@dataclasses.dataclass(frozen=True)
class Number:
    """An integer, exact, or a binary64 number."""

    value: int | float


@dataclasses.dataclass(frozen=True)
class Text:
    """A string literal."""

    value: str


@dataclasses.dataclass(frozen=True)
class Collection:
    """The literal set on the right of ``in``; only numbers, or only strings."""

    items: tuple[int | float | str, ...]


@dataclasses.dataclass(frozen=True)
class Name:
    """A metric: its samples within an aggregate, its only sample outside."""

    name: str


@dataclasses.dataclass(frozen=True)
class Aggregate:
    """Many samples to one value."""

    function: str
    argument: Node


@dataclasses.dataclass(frozen=True)
class Call:
    """``abs`` or ``log`` (natural), sample by sample."""

    function: str
    argument: Node


@dataclasses.dataclass(frozen=True)
class Negative:
    """Unary minus."""

    operand: Node


@dataclasses.dataclass(frozen=True)
class Arithmetic:
    """One of ``+ - * /``, exact."""

    operator: str
    left: Node
    right: Node


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A chain ``operands[0] operators[0] operands[1] …``, true when every link is."""

    operands: tuple[Node, ...]
    operators: tuple[str, ...]

    def links(self) -> Iterator[tuple[Node, str, Node]]:
        """Yield each link as (left, operator, right)."""
        return iter(zip(self.operands, self.operators, self.operands[1:], strict=False))


@dataclasses.dataclass(frozen=True)
class Not:
    """Negation of a truth."""

    operand: Node


@dataclasses.dataclass(frozen=True)
class Junction:
    """``and`` or ``or`` of two or more."""

    operator: str
    operands: tuple[Node, ...]


Node: TypeAlias = (
    Number | Text | Collection | Name | Aggregate | Call | Negative | Arithmetic | Comparison | Not | Junction
)


def children(node: Node) -> tuple[Node, ...]:
    """Return the direct parts of `node`, left to right."""
    match node:
        case Aggregate(_, part) | Call(_, part) | Negative(part) | Not(part):
            return (part,)
        case Arithmetic(_, left, right):
            return (left, right)
        case Comparison(operands, _) | Junction(_, operands):
            return operands
        case _:
            return ()


def names(node: Node, *, needed: bool = False) -> frozenset[str]:
    """Return the metrics that `node` names; with `needed`, those that must have a sample.

    ``count(x)`` names ``x`` but does not need a sample of it: a metric never recorded counts 0.
    """
    match node:
        case Name(name):
            return frozenset({name})
        case Aggregate("count", _) if needed:
            return frozenset()
        case _:
            return frozenset().union(*(names(child, needed=needed) for child in children(node)))


def conjuncts(node: Node) -> tuple[Node, ...]:
    """Return what the top-level ``and`` joins, flattened; `node` itself where there is none."""
    if isinstance(node, Junction) and node.operator == "and":
        return tuple(part for operand in node.operands for part in conjuncts(operand))
    return (node,)


_OR, _AND, _NOT, _COMPARISON, _SUM, _PRODUCT, _UNARY, _ATOM = range(8)


def _precedence(node: Node) -> int:
    match node:
        case Junction(operator, _):
            return _OR if operator == "or" else _AND
        case Not():
            return _NOT
        case Comparison():
            return _COMPARISON
        case Arithmetic(operator, _, _):
            return _SUM if operator in "+-" else _PRODUCT
        case Negative():
            return _UNARY
        case _:
            return _ATOM


def _within(node: Node, floor: int) -> str:
    return render(node) if _precedence(node) >= floor else f"({render(node)})"


def render(node: Node) -> str:
    """Return the canonical text of `node`."""
    match node:
        case Number(value) | Text(value):
            return repr(value)
        case Collection(items):
            return "{" + ", ".join(repr(item) for item in items) + "}"
        case Name(name):
            return name
        case Aggregate(function, argument) | Call(function, argument):
            return f"{function}({render(argument)})"
        case Negative(operand):
            return f"-{_within(operand, _UNARY)}"
        case Arithmetic(operator, left, right):
            floor = _precedence(node)
            return f"{_within(left, floor)} {operator} {_within(right, floor + 1)}"
        case Comparison(operands, operators):
            parts = [_within(operands[0], _SUM)]
            for operator, operand in zip(operators, operands[1:], strict=True):
                parts += [operator, _within(operand, _SUM)]
            return " ".join(parts)
        case Not(operand):
            return f"not {_within(operand, _NOT)}"
        case Junction(operator, operands):
            floor = _precedence(node) + 1
            return f" {operator} ".join(_within(operand, floor) for operand in operands)


@dataclasses.dataclass(frozen=True)
class Expression:
    """One parsed line: a truth about metrics."""

    root: Node

    @functools.cached_property
    def metrics(self) -> frozenset[str]:
        """Every metric that the line names."""
        return names(self.root)

    @functools.cached_property
    def needed(self) -> frozenset[str]:
        """The metrics that must have a sample: those named outside ``count``."""
        return names(self.root, needed=True)

    def __str__(self) -> str:
        return render(self.root)
