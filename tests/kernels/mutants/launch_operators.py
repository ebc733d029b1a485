"""What somebody who writes a wrapper gets wrong: how many programs are launched, and what they are told."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from tests.kernels.mutants.kernel_operators import Operator
from tests.kernels.mutants.source import Scope

__all__ = ["LAUNCH_OPERATORS", "launches"]


def launches(scope: Scope) -> list[ast.Call]:
    """Return the calls ``kernel[grid](...)`` in a function."""
    calls = [node for node in scope.inside if isinstance(node, ast.Call)]
    return [call for call in calls if isinstance(call.func, ast.Subscript)]


def _grid(call: ast.Call) -> list[ast.expr]:
    assert isinstance(call.func, ast.Subscript)
    grid = call.func.slice
    return grid.elts if isinstance(grid, ast.Tuple) else [grid]


def grid_smaller(node: ast.expr | ast.stmt, scope: Scope) -> Iterator[str]:
    """Launch one program too few along an axis."""
    if any(node is side for call in launches(scope) for side in _grid(call)):
        yield f"{ast.unparse(node)} - 1"


def rounded_down(node: ast.expr | ast.stmt, _: Scope) -> Iterator[str]:
    """Launch programs for the whole blocks only."""
    match node:
        case ast.UnaryOp(ast.USub(), ast.BinOp(ast.UnaryOp(ast.USub(), length), ast.FloorDiv(), block)):
            yield f"{ast.unparse(length)} // {ast.unparse(block)}"


def _strided(node: ast.AST) -> ast.expr | None:
    """Return the tensor whose ``stride(...)`` `node` is."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "stride":
        return node.func.value
    return None


def stride_of_another(node: ast.expr | ast.stmt, scope: Scope) -> Iterator[str]:
    """Hand over the stride of another tensor, or the length of a row where there is one tensor only."""
    tensor = _strided(node)
    if tensor is None or not isinstance(node, ast.Call):
        return
    around = [call for call in launches(scope) if call in {node, *scope.above(node)}]
    if around:
        inside = [found for part in ast.walk(around[0]) if (found := _strided(part)) is not None]
        names = list(dict.fromkeys(map(ast.unparse, inside)))
        if len(names) > 1:
            other = names[(names.index(ast.unparse(tensor)) + 1) % len(names)]
            yield f"{other}.stride({', '.join(map(ast.unparse, node.args))})"
    elif any(isinstance(parent, ast.GeneratorExp) for parent in scope.above(node)):
        yield f"{ast.unparse(tensor)}.shape[-1]"


def wrong_count(node: ast.expr | ast.stmt, scope: Scope) -> Iterator[str]:
    """Tell a kernel of one row, column or key less than there are."""
    for call in launches(scope):
        given = [e for a in call.args for e in (_listed(a) if isinstance(a, ast.Starred) else [a])]
        if any(node is argument for argument in given):
            is_count = isinstance(node, ast.Name) and node.id in _counts(scope)
            if is_count or ".shape" in ast.unparse(node):
                yield f"{ast.unparse(node)} - 1"


def _counts(scope: Scope) -> set[str]:
    """Return the names of what was read in a shape."""
    return {
        name.id
        for part in scope.inside
        if isinstance(part, ast.Assign) and ".shape" in ast.unparse(part.value)
        for target in part.targets
        for name in ast.walk(target)
        if isinstance(name, ast.Name)
    }


def _listed(argument: ast.Starred) -> list[ast.expr]:
    return argument.value.elts if isinstance(argument.value, ast.Tuple) else []


LAUNCH_OPERATORS: Mapping[str, Operator] = {
    "grid smaller": grid_smaller,
    "grid rounded down": rounded_down,
    "stride of another": stride_of_another,
    "wrong count": wrong_count,
}
"""Of functions that launch a kernel."""
