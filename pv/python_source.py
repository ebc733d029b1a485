"""Python as text: parsed and searched for names, and never run."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Iterator

from pv.errors import BindingError, Location

__all__ = ["UNREADABLE", "bound_names", "not_python", "parse_python"]

UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What parsing raises of a text that is no Python, or that nests too deep."""
_OWN_NAMES = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
"""Expressions with names of their own, which are bound nowhere else."""


def parse_python(source: bytes | str) -> ast.Module:
    """Return the tree of `source`; what Python would warn of is nobody's business here.

    Raises
    ------
    SyntaxError, ValueError, RecursionError, MemoryError
        See :data:`UNREADABLE`.
    """
    with warnings.catch_warnings():
        # Of an escape that is none, ``"\\d"``, say: versions warn of it in different ways.
        warnings.simplefilter("ignore")
        return ast.parse(source)


def not_python(error: BaseException | None, path: str) -> BindingError:
    """Return what is said where `error` was raised of the file that messages call `path`."""
    line = getattr(error, "lineno", 1) or 1
    return BindingError(
        f"cannot be parsed as Python: {error}", where=Location(path, line, 1), remedy="mend the file"
    )


def bound_names(body: Iterable[ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    """Yield each name that the statements of a module or a class bind, in their order, with the statement.

    Those under conditions and in loops count; those of functions and classes within are theirs.
    """
    waiting: list[tuple[ast.AST, ast.stmt]] = [(statement, statement) for statement in reversed([*body])]
    while waiting:  # without recursion: generated sources are deep
        node, statement = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (((alias.asname or alias.name).split(".")[0], node) for alias in node.names)
        elif isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Store):
                yield node.id, statement
        elif not isinstance(node, _OWN_NAMES):
            within = reversed([*ast.iter_child_nodes(node)])
            waiting += ((child, child if isinstance(child, ast.stmt) else statement) for child in within)
