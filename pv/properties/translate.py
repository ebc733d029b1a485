"""From a pure integer function of Python to an SMT solver's terms, with Python's meaning, or to a refusal.

Integers are unbounded, as Python's. ``//`` and ``%`` round towards minus infinity. Whatever may not be
defined (a division by zero, an assertion, a ``raise``) becomes an obligation under the condition that it is
reached. Nothing is assumed: what is not on the list below is refused. Names that a module has are taken for
what they stand for once it is imported.

Statements: assignments to names, ``if``, ``return``, ``assert``, ``raise``. Expressions: see :meth:`_value`.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import z3

from pv.properties.names import Names, own, parameters_of, spelled
from pv.properties.source import NotPureError, constant, function_of, tree_of

__all__ = ["Translator", "is_integer", "is_truth"]

_RAISED = object()
"""Stands for what a block returns that raises. None would not do: a name of a module may stand for it."""
_BUILT_IN = {"min": (2, 99), "max": (2, 99), "abs": (1, 1), "int": (1, 1), "divmod": (2, 2)}
"""What is translated of Python's own, and of how many arguments."""
_MOST_PATHS = 256
_DEEPEST = 16


def is_integer(value: Any) -> bool:
    """Tell whether `value` is an integer of Python's or a term for one."""
    return type(value) is int or z3.is_int(value)


def is_truth(value: Any) -> bool:
    """Tell whether `value` is a truth of Python's or a term for one."""
    return isinstance(value, bool) or z3.is_bool(value)


class Translator:
    """Translates calls and expressions.

    `definitions` say what the names stand for that it made up for quotients and remainders; they hold for
    some value of these whatever the inputs are. `obligations` must hold for what it translated to be defined.
    """

    def __init__(self) -> None:
        self.definitions: list[Any] = []
        self.obligations: list[Any] = []
        self._made = 0
        self._paths = 0
        self._calls: list[str] = []

    def call(self, function: Callable[..., Any], arguments: Mapping[str, Any], path: Any = True) -> Any:
        """Return what `function`, called by keywords with integers, returns.

        Raises
        ------
        NotPureError
            It holds something that is not translated.
        """
        name = getattr(function, "__qualname__", type(function).__name__)
        if name in self._calls or len(self._calls) == _DEEPEST:
            raise NotPureError(f"{name} calls itself, or through too many others")
        plain, itself = function_of(function)
        variables = parameters_of(plain, itself, arguments)
        self._calls.append(name)
        try:
            found = self._block(tree_of(plain).body, Names(variables, plain), path)
        finally:
            self._calls.pop()
        if found is _RAISED:  # whatever it is given, which is owed
            self._made += 1
            return z3.Int(f"nothing {self._made}")
        return found

    def expression(self, tree: ast.expr, values: Mapping[str, Any], path: Any = True) -> Any:
        """Return what an expression over `values` is."""
        return self._value(tree, Names(dict(values), None), path)

    def _block(self, statements: Sequence[ast.stmt], names: Names, path: Any) -> Any:
        """Return what a block returns; :data:`_RAISED` where every path through it raises."""
        for index, statement in enumerate(statements):
            match statement:
                case ast.Return(value=node) if node is not None:
                    return self._value(node, names, path)
                case ast.Assign(targets=[target], value=node):
                    names = names.bound(target, self._value(node, names, path))
                case ast.AnnAssign(target=ast.Name() as target, value=node) if node is not None:
                    names = names.bound(target, self._value(node, names, path))
                case ast.AugAssign(target=ast.Name(id=name) as target, op=op, value=node):
                    right = self._value(node, names, path)
                    names = names.bound(target, self._binary(op, names.look_up(name), right, path))
                case ast.Assert(test=test):
                    self._owe(self._truth(test, names, path), path)
                case ast.Raise():
                    self._owe(False, path)
                    return _RAISED
                case ast.If():
                    return self._branched(statement, statements[index + 1 :], names, path)
                case ast.Pass() | ast.Expr(value=ast.Constant()):
                    continue
                case _:
                    raise NotPureError(f"{spelled(statement)} is not translated")
        raise NotPureError("a path through it ends without a return")

    def _branched(self, statement: ast.If, rest: Sequence[ast.stmt], names: Names, path: Any) -> Any:
        """Return what an ``if`` and all that follows it return, for each branch by itself."""
        return self._either(
            self._truth(statement.test, names, path),
            path,
            lambda way: self._block([*statement.body, *rest], names, way),
            lambda way: self._block([*statement.orelse, *rest], names, way),
        )

    def _either(self, condition: Any, path: Any, yes: Callable[[Any], Any], no: Callable[[Any], Any]) -> Any:
        if isinstance(condition, bool):
            return yes(path) if condition else no(path)
        self._paths += 1
        if self._paths > _MOST_PATHS:
            raise NotPureError(f"it has more than {_MOST_PATHS} branches")
        one, other = yes(_and(path, condition)), no(_and(path, z3.Not(condition)))
        if one is _RAISED or other is _RAISED:
            return other if one is _RAISED else one
        return _chosen(condition, one, other)

    def _truth(self, node: ast.expr, names: Names, path: Any) -> Any:
        """Return whether `node` is taken for true: a number is, unless it is zero."""
        if isinstance(node, ast.BoolOp):
            return self._joined(isinstance(node.op, ast.And), node.values, self._truth, names, path)
        value = self._value(node, names, path)
        if is_integer(value) and not is_truth(value):
            return value != 0
        return self._strict(value, node)

    def _own_truth(self, node: ast.expr, names: Names, path: Any) -> Any:
        return self._strict(self._value(node, names, path), node)

    def _strict(self, value: Any, node: ast.expr) -> Any:
        if not is_truth(value):
            raise NotPureError(f"{spelled(node)} is taken for a truth, and is none")
        return value

    def _integer(self, node: ast.expr, names: Names, path: Any) -> Any:
        return _whole(self._value(node, names, path), node)

    def _value(self, node: ast.expr, names: Names, path: Any) -> Any:
        match node:
            case ast.Constant(value=bool() | int()):
                return node.value
            case ast.Name(id=name):
                return names.look_up(name)
            case ast.Attribute(value=of, attr=attribute):
                return own(constant(self._value(of, names, path), attribute), attribute)
            case ast.Tuple(elts=parts):
                return tuple(self._value(part, names, path) for part in parts)
            case ast.Subscript(value=of, slice=place):
                value, index = self._value(of, names, path), self._value(place, names, path)
                if type(index) is not int or not isinstance(value, tuple):
                    raise NotPureError(f"{spelled(node)} is not translated")
                if not -len(value) <= index < len(value):
                    raise NotPureError(f"{spelled(node)} is no part of a tuple")
                return value[index]
            case ast.UnaryOp(op=ast.Not(), operand=part):
                truth = self._truth(part, names, path)
                return not truth if isinstance(truth, bool) else z3.Not(truth)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=part):
                number = self._integer(part, names, path)
                return -number if isinstance(sign, ast.USub) else number
            case ast.UnaryOp(op=ast.Invert(), operand=part):
                return -self._integer(part, names, path) - 1
            case ast.BinOp(left=left, op=op, right=right):
                one, other = (self._integer(part, names, path) for part in (left, right))
                return self._binary(op, one, other, path)
            case ast.BoolOp(op=op, values=parts):
                # Its value is that of one of the parts; only of truths is that the same as whether it holds.
                return self._joined(isinstance(op, ast.And), parts, self._own_truth, names, path)
            case ast.Compare(left=left, ops=ops, comparators=others):
                return self._compared(self._value(left, names, path), ops, others, names, path)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self._either(
                    self._truth(test, names, path),
                    path,
                    lambda way: self._value(body, names, way),
                    lambda way: self._value(orelse, names, way),
                )
            case ast.Call(func=func, args=given, keywords=keywords):
                return self._called(func, given, keywords, names, path)
        raise NotPureError(f"{spelled(node)} is not translated")

    def _joined(
        self,
        both: bool,
        parts: Sequence[ast.expr],
        truth_of: Callable[[ast.expr, Names, Any], Any],
        names: Names,
        path: Any,
    ) -> Any:
        """Join truths by ``and`` or ``or``: what comes later counts only where the earlier leave it open."""
        truth = truth_of(parts[0], names, path)
        if len(parts) == 1:
            return truth

        def later(way: Any) -> Any:
            return self._joined(both, parts[1:], truth_of, names, way)

        def settled(_: Any) -> Any:
            return not both

        return self._either(truth, path, later if both else settled, settled if both else later)

    def _compared(
        self, left: Any, ops: Sequence[ast.cmpop], others: Sequence[ast.expr], names: Names, path: Any
    ) -> Any:
        right = self._value(others[0], names, path)
        found = _comparison(ops[0], left, right)
        if len(ops) == 1:
            return found
        return self._either(
            found, path, lambda way: self._compared(right, ops[1:], others[1:], names, way), lambda _: False
        )

    def _binary(self, op: ast.operator, left: Any, right: Any, path: Any) -> Any:
        left, right = _whole(left), _whole(right)
        match op:
            case ast.Add():
                return left + right
            case ast.Sub():
                return left - right
            case ast.Mult():
                return left * right
            case ast.FloorDiv():
                return self._divided(left, right, path)[0]
            case ast.Mod():
                return self._divided(left, right, path)[1]
            case ast.LShift() if type(right) is int and 0 <= right <= 64:
                return left * (1 << right)
            case ast.RShift() if type(right) is int and 0 <= right <= 64:
                return self._divided(left, 1 << right, path)[0]
            case ast.Pow() if type(left) is int and type(right) is int and 0 <= right <= 64:
                return left**right
            case ast.BitAnd() if type(left) is int and type(right) is int:
                return left & right
            case ast.BitAnd():
                number, mask = (right, left) if type(left) is int else (left, right)
                if type(mask) is int and mask >= 0 and not mask & (mask + 1):
                    return self._divided(number, mask + 1, path)[1]
                if (
                    type(mask) is int and mask < 0 and not -mask & (-mask - 1)
                ):  # zeros, below ones without end
                    return number - self._divided(number, -mask, path)[1]
        raise NotPureError(f"{type(op).__name__} is not translated for these operands")

    def _divided(self, left: Any, right: Any, path: Any) -> tuple[Any, Any]:
        """Return Python's quotient and remainder: left == q right + r, and r lies between 0 and right."""
        if type(left) is int and type(right) is int and right:
            return divmod(left, right)
        self._owe(right != 0, path)
        self._made += 1
        quotient, remainder = z3.Int(f"quotient {self._made}"), z3.Int(f"remainder {self._made}")
        within = z3.If(
            right > 0,
            z3.And(remainder >= 0, remainder < right),
            z3.And(right < remainder, remainder <= 0),
        )
        self.definitions.append(z3.Implies(right != 0, z3.And(left == quotient * right + remainder, within)))
        return quotient, remainder

    def _called(
        self,
        func: ast.expr,
        given: Sequence[ast.expr],
        keywords: Sequence[ast.keyword],
        names: Names,
        path: Any,
    ) -> Any:
        if isinstance(func, ast.Name) and func.id in _BUILT_IN and names.is_built_in(func.id):
            return self._built_in(func.id, given, keywords, names, path)
        function = self._value(func, names, path)
        values = [self._value(one, names, path) for one in given]
        named = {one.arg: self._value(one.value, names, path) for one in keywords if one.arg}
        if not callable(function) or len(named) < len(keywords):
            raise NotPureError(f"{spelled(func)} is not translated")
        plain, itself = function_of(function)
        try:
            arguments = inspect.signature(plain).bind(*itself, *values, **named).arguments
        except TypeError as error:
            raise NotPureError(f"{spelled(func)}: {error}") from error
        return self.call(function, dict(list(arguments.items())[len(itself) :]), path)

    def _built_in(
        self,
        name: str,
        given: Sequence[ast.expr],
        keywords: Sequence[ast.keyword],
        names: Names,
        path: Any,
    ) -> Any:
        least, most = _BUILT_IN[name]
        if keywords or not least <= len(given) <= most:
            raise NotPureError(f"{name} is translated of numbers, by position")
        first, *rest = (self._integer(one, names, path) for one in given)
        if name == "abs":
            return abs(first) if type(first) is int else z3.If(first < 0, -first, first)
        if name == "int":
            return first
        if name == "divmod":
            return self._divided(first, rest[0], path)
        for other in rest:
            takes = other < first if name == "min" else other > first
            first = _chosen(takes, other, first)
        return first

    def _owe(self, truth: Any, path: Any) -> None:
        if truth is not True:
            self.obligations.append(z3.Implies(path, truth))


def _comparison(op: ast.cmpop, left: Any, right: Any) -> Any:
    alike = (is_integer(left) and is_integer(right)) or (
        isinstance(op, ast.Eq | ast.NotEq) and is_truth(left) and is_truth(right)
    )
    if not alike:
        raise NotPureError("a comparison of things other than integers is not translated")
    match op:
        case ast.Eq():
            return left == right
        case ast.NotEq():
            return left != right
        case ast.Lt():
            return left < right
        case ast.LtE():
            return left <= right
        case ast.Gt():
            return left > right
        case ast.GtE():
            return left >= right
    raise NotPureError(f"{type(op).__name__} is not translated")


def _chosen(condition: Any, one: Any, other: Any) -> Any:
    if isinstance(condition, bool):
        return one if condition else other
    if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
        return tuple(_chosen(condition, *pair) for pair in zip(one, other, strict=True))
    if not ((is_integer(one) and is_integer(other)) or (is_truth(one) and is_truth(other))):
        raise NotPureError("what is returned is a number here and something else there")
    if type(one) is type(other) is bool:
        return condition if one and not other else z3.Not(condition) if other and not one else one
    return z3.If(condition, z3.IntVal(one) if type(one) is int else one, other)


def _whole(value: Any, node: ast.expr | None = None) -> Any:
    if not is_integer(value):
        raise NotPureError(f"{'an operand' if node is None else spelled(node)} is no integer")
    return value


def _and(path: Any, condition: Any) -> Any:
    return condition if path is True else z3.And(path, condition)
