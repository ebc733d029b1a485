"""Python's tree to ours, through a whitelist; every refusal names its column and a remedy."""

from __future__ import annotations

import ast
import math

from pv.errors import ExpressionError, Location
from pv.expression.exact import InvalidOperandError, constant
from pv.expression.syntax import (
    AGGREGATES,
    BOOLEAN_AGGREGATES,
    FUNCTIONS,
    Aggregate,
    Arithmetic,
    Call,
    Collection,
    Comparison,
    Expression,
    Junction,
    Name,
    Negative,
    Node,
    Not,
    Number,
    Text,
    children,
    names,
)

__all__ = ["MAXIMUM_DEPTH", "Reader", "error_at"]

MAXIMUM_DEPTH = 32
_ARITHMETIC: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.In: "in",
    ast.NotIn: "not in",
}
_RESERVED = AGGREGATES | FUNCTIONS


def error_at(what: str, offset: int, remedy: str) -> ExpressionError:
    """Return the error for the character at `offset`, counted from 0."""
    return ExpressionError(what, where=Location("expression", 1, offset + 1), remedy=remedy)


def _sort(node: Node) -> str:
    """Return what `node` yields as far as its form tells: truth, text, number, collection or value."""
    match node:
        case Comparison() | Not() | Junction():
            return "truth"
        case Aggregate(function, _) if function in BOOLEAN_AGGREGATES:
            return "truth"
        case Aggregate("first" | "last", _) | Name():
            return "value"  # a number or a text; the metric's kind will tell
        case Text():
            return "text"
        case Collection():
            return "collection"
        case _:
            return "number"


def _has_samples(node: Node) -> bool:
    """Tell whether `node` names a metric outside any aggregate within it."""
    if isinstance(node, Aggregate):
        return False
    return isinstance(node, Name) or any(_has_samples(child) for child in children(node))


class Reader:
    """Turns Python's tree into ours, refusing what is not whitelisted."""

    def __init__(self, line: str, indent: int, dotted: frozenset[str] = frozenset()) -> None:
        self.line = line
        self.dotted = dotted
        self.encoded = line.encode()
        self.indent = indent

    def _error(self, place: ast.expr, what: str, remedy: str) -> ExpressionError:
        offset = len(self.encoded[: place.col_offset].decode())
        return error_at(what, self.indent + offset, remedy)

    def _source(self, place: ast.expr) -> str:
        return self.encoded[place.col_offset : place.end_col_offset].decode()

    def expression(self, body: ast.expr) -> Expression:
        """Return the whole line; :class:`ExpressionError` where it is not of the language."""
        root = self._read(body, 1)
        tail = self.encoded[body.end_col_offset :].decode()
        if tail.strip(") "):
            raise self._error(body, "a comment is not part of the language", "put it into the YAML instead")
        if _sort(root) != "truth":
            raise self._error(
                body, "the expression is neither true nor false", "compare it: min(cosine) >= 0.999"
            )
        if not names(root):
            raise self._error(
                body,
                "the expression names no metric, so no measurement could change it",
                "name what was measured",
            )
        return Expression(root)

    def _read(self, place: ast.expr, depth: int) -> Node:
        if depth > MAXIMUM_DEPTH:
            raise self._error(place, f"nested more than {MAXIMUM_DEPTH} deep", "split it into several lines")
        match place:
            case ast.Constant():
                return self._literal(place)
            case ast.Name():
                return self._name(place)
            case ast.Attribute() if (dotted := self._source(place)) in self.dotted:
                return Name(dotted.replace(".", "_"))
            case ast.Call():
                return self._call(place, depth)
            case ast.UnaryOp(ast.USub(), operand):
                return self._folded(place, Negative(self._number(operand, depth)))
            case ast.UnaryOp(ast.Not(), operand):
                return Not(self._truth(operand, depth))
            case ast.BinOp(left, operator, right) if type(operator) in _ARITHMETIC:
                symbol = _ARITHMETIC[type(operator)]
                return self._folded(
                    place, Arithmetic(symbol, self._number(left, depth), self._number(right, depth))
                )
            case ast.BoolOp(operator, operands):
                joint = "and" if isinstance(operator, ast.And) else "or"
                return Junction(joint, tuple(self._truth(operand, depth) for operand in operands))
            case ast.Compare():
                return self._comparison(place, depth)
            case _:
                raise self._error(
                    place,
                    f"{type(place).__name__} {self._source(place)!r} is not part of the language",
                    "use metrics, numbers, strings, + - * /, comparisons, and/or/not and the aggregates "
                    + " ".join(sorted(AGGREGATES)),
                )

    def _literal(self, place: ast.Constant) -> Node:
        value = place.value
        if isinstance(value, str):
            return Text(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._error(
                place, f"{self._source(place)} is not a number or a string", "write a comparison"
            )
        if isinstance(value, float):
            if not math.isfinite(value):
                raise self._error(place, f"{self._source(place)} is beyond binary64", "write a finite number")
            mantissa = self._source(place).lower().split("e")[0]
            if value == 0 and mantissa.strip("0._"):
                raise self._error(place, f"{self._source(place)} is rounded to zero in binary64", "write 0")
        return Number(value)

    def _name(self, place: ast.Name) -> Name:
        # Python folds look-alike letters into ASCII; the source tells.
        if not place.id.isascii() or self._source(place) != place.id:
            raise self._error(place, f"the name {self._source(place)!r} is not ASCII", "rename the metric")
        if place.id in _RESERVED:
            raise self._error(
                place,
                f"{place.id} is a function, not a metric",
                f"write {place.id}(metric), or rename the metric",
            )
        return Name(place.id)

    def _call(self, place: ast.Call, depth: int) -> Node:
        function = place.func
        if (
            not isinstance(function, ast.Name)
            or function.id not in _RESERVED
            or self._source(function) != function.id
        ):
            raise self._error(
                place,
                f"{self._source(function)!r} is not a function of the language",
                "the functions are " + " ".join(sorted(_RESERVED)),
            )
        if len(place.args) != 1 or place.keywords:
            raise self._error(
                place, f"{function.id} takes exactly one argument", f"write {function.id}(metric)"
            )
        if function.id in FUNCTIONS:
            return self._folded(place, Call(function.id, self._number(place.args[0], depth)))
        argument = self._read(place.args[0], depth + 1)
        if function.id == "count" and not isinstance(argument, Name):
            raise self._error(
                place.args[0], "count takes the name of a metric: it counts samples", "write count(metric)"
            )
        if not _has_samples(argument):
            raise self._error(
                place.args[0], f"{function.id} is given no metric to aggregate", "name a metric in it"
            )
        is_truth, wants_truth = _sort(argument) == "truth", function.id in BOOLEAN_AGGREGATES
        if wants_truth and not is_truth:
            raise self._error(
                place.args[0], f"{function.id} takes a comparison", f"write {function.id}(metric > 0)"
            )
        if is_truth and not wants_truth:
            raise self._error(
                place.args[0], f"{function.id} takes numbers, not a comparison", "use all or any"
            )
        return Aggregate(function.id, argument)

    def _number(self, place: ast.expr, depth: int) -> Node:
        node = self._read(place, depth + 1)
        if _sort(node) not in {"number", "value"}:
            raise self._error(
                place, f"{self._source(place)!r} is no number to calculate with", "use a metric"
            )
        return node

    def _truth(self, place: ast.expr, depth: int) -> Node:
        node = self._read(place, depth + 1)
        if _sort(node) != "truth":
            raise self._error(
                place, f"{self._source(place)!r} is neither true nor false", "compare it with something"
            )
        return node

    def _folded(self, place: ast.expr, node: Node) -> Node:
        """Refuse arithmetic on literals that has no value, such as ``1 / 0``."""
        if not names(node):
            try:
                constant(node)
            except InvalidOperandError as error:
                raise self._error(place, str(error), "write a finite number") from None
        return node

    def _comparison(self, place: ast.Compare, depth: int) -> Node:
        operators = []
        for operator in place.ops:
            if type(operator) not in _COMPARISONS:
                raise self._error(place, "'is' is not part of the language", "use == or !=")
            operators.append(_COMPARISONS[type(operator)])
        places = [place.left, *place.comparators]
        if {"in", "not in"} & set(operators):
            if len(operators) != 1:
                raise self._error(place, "in cannot be chained", "join two comparisons with and")
            operands = [self._value(places[0], depth), self._collection(places[1])]
        else:
            operands = [self._value(operand, depth) for operand in places]
        for left, symbol, right in zip(operands, operators, operands[1:], strict=False):
            sorts = {_sort(left), _sort(right)}
            if "text" in sorts and (symbol not in {"==", "!=", "in", "not in"} or "number" in sorts):
                raise self._error(
                    place, "a text has no order and never equals a number", "compare texts with ==, !=, in"
                )
            if isinstance(right, Collection) and _sort(left) in {"text", "number"}:
                of_text = isinstance(right.items[0], str)
                if of_text != (_sort(left) == "text"):
                    raise self._error(
                        place, "a number and a text are never equal", "use a set of the same kind"
                    )
        return Comparison(tuple(operands), tuple(operators))

    def _value(self, place: ast.expr, depth: int) -> Node:
        node = self._read(place, depth + 1)
        if _sort(node) == "truth":
            raise self._error(
                place, f"{self._source(place)!r} is a truth, not a value", "join truths with and, or, not"
            )
        return node

    def _collection(self, place: ast.expr) -> Collection:
        if not isinstance(place, ast.Set | ast.List) or not place.elts:
            raise self._error(place, "in takes a set of literals", 'write {"a", "b"}')
        items: list[int | float | str] = []
        for element in place.elts:
            node = self._read(element, MAXIMUM_DEPTH - 1)
            if isinstance(node, Text):
                items.append(node.value)
            elif isinstance(node, Number | Negative) and not names(node):
                items.append(constant(node))
            else:
                raise self._error(element, f"{self._source(element)!r} is not a literal", 'write {"a", "b"}')
        if len({isinstance(item, str) for item in items}) != 1:
            raise self._error(place, "a set holds numbers or texts, not both", "write two comparisons")
        return Collection(tuple(items))
