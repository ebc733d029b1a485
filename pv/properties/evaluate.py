"""An expression of a ``property:`` over values: numbers, sequences, and arrays of numpy or torch."""

from __future__ import annotations

import ast
import importlib
import operator
from collections.abc import Callable, Mapping
from typing import Any

from pv.properties.comparing import as_numpy, is_array
from pv.properties.grammar import expression
from pv.properties.results import has_nan, plain_value

__all__ = ["NotANumberError", "evaluate"]

_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Div: operator.truediv,
}
_COMPARED: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_PYTHONS = frozenset({int, bool, float})
_ORDERED = frozenset({"min", "max", "all", "any"})
"""What has no answer where one of the numbers is NaN."""
_BUILT_IN: Mapping[str, Callable[..., Any]] = {
    "min": min, "max": max, "abs": abs, "sum": sum, "len": len, "all": all, "any": any
}  # fmt: skip


class NotANumberError(ArithmeticError):
    """Something is compared, or taken for a truth, that is NaN: either answer would mean nothing."""


def evaluate(text: str, values: Mapping[str, Any]) -> Any:
    """Return what `text`, an expression that was read before, is of `values`.

    Raises
    ------
    ArithmeticError, LookupError, TypeError, ValueError
        As Python's own operators do, for example where something is divided by zero; and where whole numbers
        have not the bits that the answer needs.
    NotANumberError
        A NaN is compared, asked for its sign or order, or taken for a truth, also below ``not`` or ``or``.
    CheckError
        A value is of a type of somebody's own, which says of itself what it is equal to.
    """
    return _value(expression(text), {name: plain_value(value) for name, value in values.items()})


def _value(node: ast.expr, values: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return values[name]
        case ast.Tuple(elts=parts):
            return tuple(_value(part, values) for part in parts)
        case ast.UnaryOp(op=ast.Not(), operand=part):
            return not _truth(part, values)
        case ast.UnaryOp(op=sign, operand=part):
            return _exactly(
                operator.neg if isinstance(sign, ast.USub) else operator.pos, _value(part, values)
            )
        case ast.BinOp(left=left, op=op, right=right):
            return _exactly(_BINARY[type(op)], _value(left, values), _value(right, values))
        case ast.BoolOp(op=ast.And(), values=parts):
            return all(_truth(part, values) for part in parts)
        case ast.BoolOp(values=parts):
            return any(_truth(part, values) for part in parts)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _value(body if _truth(test, values) else orelse, values)
        case ast.Compare():
            return _compare(node, values)
        case ast.Subscript(value=of, slice=ast.Constant(value=int(index))):
            return _value(of, values)[index]
        case ast.Call(func=ast.Name(id=name), args=given):
            return _call(name, [_value(one, values) for one in given])
    raise TypeError(f"{type(node).__name__} has no meaning here")


def _compare(node: ast.Compare, values: Mapping[str, Any]) -> Any:
    """Compare as Python does, from left to right, until one is false; arrays element by element."""
    left = _number(node.left, values)
    result: Any = True
    for op, part in zip(node.ops, node.comparators, strict=True):
        right = _number(part, values)
        found = _exactly(_COMPARED[type(op)], left, right)
        result = found if result is True else result & found
        if result is False:
            return False
        left = right
    return result


def _truth(node: ast.expr, values: Mapping[str, Any]) -> bool:
    return bool(_number(node, values))


def _number(node: ast.expr, values: Mapping[str, Any]) -> Any:
    value = _value(node, values)
    if has_nan(value):
        raise NotANumberError(f"{ast.unparse(node)} is NaN")
    return value


def _call(name: str, given: list[Any]) -> Any:
    if name in _ORDERED and has_nan(given):
        raise NotANumberError(f"{name} of NaN")
    own = getattr(given[0], name, None) if len(given) == 1 and hasattr(given[0], "shape") else None
    if name == "abs":
        return _exactly(abs, *given)
    if callable(own):
        return _exactly(operator.methodcaller(name), given[0]) if name == "sum" else own()
    return _BUILT_IN[name](*given)


def _exactly(operate: Callable[..., Any], *given: Any) -> Any:
    """Operate on whole numbers of some width so that it is seen where they have not enough of it.

    Raises
    ------
    OverflowError
        Integers of Python's, which are unbounded, give another result: one of 8 bits less 1 is above it.
    """
    if _PYTHONS.issuperset(map(type, given)) or not any(map(is_array, given)):
        return operate(*given)
    wide = [as_numpy(one) if is_array(one) else one for one in given]
    if not all(one.dtype.kind in "biu" if is_array(one) else isinstance(one, int) for one in wide):
        return operate(*given)
    with importlib.import_module("numpy").errstate(all="ignore"):  # it is said below
        result = operate(*given)
    exact = operate(*[one.astype(object) if is_array(one) else one for one in wide])
    found = as_numpy(result)
    if found.dtype.kind in "biu" and not bool((found.astype(object) == exact).all()):
        kinds = ", ".join(str(one.dtype) for one in wide if is_array(one))
        raise OverflowError(f"the numbers do not fit in {kinds}: give them more bits, or smaller bounds")
    return result
