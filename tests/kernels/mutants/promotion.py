"""Where an upcast changes nothing: Triton computes with a 16-bit number and a float32 one in float32."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.kernels.mutants.source import Scope

__all__ = ["promoted"]

_ARITHMETIC = ast.Add | ast.Sub | ast.Mult | ast.Div


def promoted(cast: ast.AST, scope: Scope) -> bool:
    """Return whether all that the value of `cast` meets is float32 without it.

    It is looked for in the block that the value is named in; where that cannot be told, the answer is no.
    """
    statement = scope.parents.get(cast)
    if isinstance(statement, ast.BinOp):
        return isinstance(statement.right, ast.Constant) and _whole(cast, scope)
    if not (isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)):
        return False
    name = statement.targets[0].id
    known = _float32(scope) - {name}
    uses = [node for later in _after(statement, scope) for node in ast.walk(later) if _is(node, name)]
    return bool(uses) and all(_meets(use, scope, known) for use in uses)


def _whole(cast: ast.AST, scope: Scope) -> bool:
    """Return whether what is cast is a whole number, made of bits: a number with a point makes it float32."""
    names = {node.id for node in ast.walk(cast) if isinstance(node, ast.Name)} - {"tl"}
    bits = ast.BitAnd | ast.BitOr | ast.LShift | ast.RShift
    made = [node for node in scope.inside if isinstance(node, ast.Assign) and names & set(_targets(node))]
    return any(
        isinstance(part, ast.BinOp) and isinstance(part.op, bits) for m in made for part in ast.walk(m)
    )


def _targets(node: ast.Assign) -> list[str]:
    return [part.id for target in node.targets for part in ast.walk(target) if isinstance(part, ast.Name)]


def _is(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _after(statement: ast.stmt, scope: Scope) -> Iterator[ast.stmt]:
    """Yield the statements behind `statement` in its block."""
    for _, block in ast.iter_fields(scope.parents[statement]):
        if isinstance(block, list) and statement in block:
            yield from block[block.index(statement) + 1 :]


def _meets(use: ast.AST, scope: Scope, known: set[str]) -> bool:
    """Return whether `use`, perhaps with axes added, is an operand beside one of `known`."""
    while isinstance(parent := scope.parents[use], ast.Subscript):
        use = parent
    if not (isinstance(parent, ast.BinOp) and isinstance(parent.op, _ARITHMETIC)):
        return False
    other = parent.left if use is parent.right else parent.right
    return any(isinstance(node, ast.Name) and node.id in known for node in ast.walk(other))


def _float32(scope: Scope) -> set[str]:
    """Return the names that are float32: cast or made so, or computed from such."""
    known: set[str] = set()
    assigned = [node for node in scope.inside if isinstance(node, ast.Assign | ast.AugAssign)]
    for node in sorted(assigned, key=lambda one: one.lineno):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        value = node.value
        rounded = isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute)
        if rounded and ast.unparse(value).endswith("element_ty)"):
            continue
        parts = list(ast.walk(value))
        if any(_is(part, name) for part in parts for name in known) or any(
            isinstance(part, ast.Attribute) and ast.unparse(part) == "tl.float32" for part in parts
        ):
            known |= {
                part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)
            }
    return known
