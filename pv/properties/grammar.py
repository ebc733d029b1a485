"""The expressions of a ``property:``: Python's syntax, a white list of it, never run as code.

Over integers and truths and, where values are drawn, floats and arrays: names, numbers, ``+ - * // % /``,
comparisons, ``and or not``, ``x if c else y``, ``result[0]``, and the functions of :data:`FUNCTIONS`.
"""

from __future__ import annotations

import ast
import functools

__all__ = ["FUNCTIONS", "GrammarError", "expression", "names_in"]

FUNCTIONS = frozenset({"min", "max", "abs", "sum", "len", "all", "any"})

_NODES = (
    *(ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.USub, ast.UAdd, ast.Not),
    *(ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod, ast.Div),
    *(ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE),
    *(ast.IfExp, ast.Call, ast.Name, ast.Load, ast.Constant, ast.Subscript, ast.Tuple),
)
_LONGEST = 2000


class GrammarError(ValueError):
    """A text is no expression that we read; the message says why."""


@functools.lru_cache(maxsize=1024)
def expression(text: str) -> ast.expr:
    """Return the tree of `text`.

    Raises
    ------
    GrammarError
        It is none, or holds what is not on the list.
    """
    if len(text) > _LONGEST:
        raise GrammarError(f"it is longer than {_LONGEST} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise GrammarError(f"it is no expression ({getattr(error, 'msg', error)})") from error
    for node in ast.walk(tree):
        if not isinstance(node, _NODES):
            raise GrammarError(f"{type(node).__name__} has no meaning here")
        if isinstance(node, ast.Constant) and type(node.value) not in {int, float, bool}:
            raise GrammarError("constants are numbers and truths")
        if isinstance(node, ast.Call) and (
            not isinstance(node.func, ast.Name) or node.func.id not in FUNCTIONS or node.keywords
        ):
            raise GrammarError(f"the functions are {', '.join(sorted(FUNCTIONS))}, called by position")
        if isinstance(node, ast.Subscript) and not (
            isinstance(node.slice, ast.Constant) and type(node.slice.value) is int
        ):
            raise GrammarError("an index is a number that is written out")
    return tree


def names_in(tree: ast.expr) -> set[str]:
    """Return the names in `tree` that stand for values."""
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called}
