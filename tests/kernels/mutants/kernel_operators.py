"""What somebody who writes a kernel gets wrong: each operator yields what could stand in a node's place."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping

from tests.kernels.mutants.promotion import promoted
from tests.kernels.mutants.source import Scope

__all__ = ["KERNEL_OPERATORS", "Operator"]

Operator = Callable[[ast.expr | ast.stmt, Scope], Iterator[str]]

_COMPARISONS: Mapping[type[ast.cmpop], str] = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
}
_FUNCTIONS = {
    "tl.max": "tl.min",
    "tl.maximum": "tl.minimum",
    "tl.minimum": "tl.maximum",
    "tl.sum": "tl.max",
    "tl.exp": "tl.exp2",
    "tl.exp2": "tl.exp",
    "tl.log": "tl.log2",
    "tl.log2": "tl.log",
    "tl.rsqrt": "tl.sqrt",
    "tl.sigmoid": "tl.exp",
}
_BITWISE: Mapping[type[ast.operator], str] = {
    ast.BitAnd: "|",
    ast.BitOr: "&",
    ast.LShift: ">>",
    ast.RShift: "<<",
}
_NO_SIZES = {"tl.arange", "tl.program_id", "tl.num_programs", "tl.zeros", "tl.full", "tl.static_range"}


_OTHERS: Mapping[str, ast.expr] = {
    "0.0": ast.Call(ast.Name("float"), [ast.Constant("nan")], []),
    "0": ast.Constant(1),
}
"""What stands behind a mask → what is put there. 0 times NaN is not 0."""
_MIXING = {"tl.sum", "tl.max", "tl.min", "tl.reduce", "tl.dot", "product"}


def called(node: ast.AST) -> str:
    """Return what is called, as it is written, or nothing where `node` is no call."""
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ""


def mask_dropped(node: ast.expr | ast.stmt, _: Scope) -> Iterator[str]:
    """Load or store whole blocks."""
    if isinstance(node, ast.Call) and called(node) in {"tl.load", "tl.store"}:
        kept = [keyword for keyword in node.keywords if keyword.arg not in {"mask", "other"}]
        if len(kept) < len(node.keywords):
            yield ast.unparse(ast.Call(node.func, node.args, kept))


def other_changed(node: ast.expr | ast.stmt, scope: Scope) -> Iterator[str]:
    """Put something else where the mask is false, unless nothing of it can be stored."""
    if not (isinstance(node, ast.Call) and called(node) == "tl.load") or _never_stored(node, scope):
        return
    for keyword in node.keywords:
        if keyword.arg == "other":
            others = [ast.keyword("other", _OTHERS.get(ast.unparse(keyword.value), ast.Constant(0.0)))]
            kept = [one for one in node.keywords if one is not keyword]
            yield ast.unparse(ast.Call(node.func, node.args, [*kept, *others]))


def _mask(call: ast.Call) -> str:
    return next((ast.unparse(k.value) for k in call.keywords if k.arg == "mask"), "")


def _never_stored(load: ast.Call, scope: Scope) -> bool:
    """Return whether elements stay in their lanes, and every store leaves out those that `load` does."""
    calls = [node for node in scope.inside if isinstance(node, ast.Call)]
    stores = [call for call in calls if called(call) == "tl.store"]
    mixing = any(called(call) in _MIXING for call in calls)
    return bool(stores) and not mixing and all(_mask(store) == _mask(load) for store in stores)


def comparison(node: ast.expr | ast.stmt, _: Scope) -> Iterator[str]:
    """Count the border in, or out."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARISONS:
        right = ast.unparse(node.comparators[0])
        yield f"{ast.unparse(node.left)} {_COMPARISONS[type(node.ops[0])]} {right}"


def sign(node: ast.expr | ast.stmt, _: Scope) -> Iterator[str]:
    """Subtract what is added, and the other way round."""
    other = {ast.Add: "-", ast.Sub: "+"}
    if isinstance(node, ast.BinOp) and type(node.op) in other:
        yield f"{ast.unparse(node.left)} {other[type(node.op)]} ({ast.unparse(node.right)})"
    if isinstance(node, ast.AugAssign) and type(node.op) in other and not isinstance(node.value, ast.Tuple):
        yield f"{ast.unparse(node.target)} {other[type(node.op)]}= {ast.unparse(node.value)}"


def factor_dropped(node: ast.expr | ast.stmt, _: Scope) -> Iterator[str]:
    """Leave a factor or a divisor out."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        yield ast.unparse(node.left)


def operands_exchanged(node: ast.expr | ast.stmt, _: Scope) -> Iterator[str]:
    """Take the two in the other order, where it matters."""
    ordered = ast.Sub | ast.Div | ast.FloorDiv | ast.Mod | ast.LShift | ast.RShift
    if isinstance(node, ast.BinOp) and isinstance(node.op, ordered):
        yield ast.unparse(ast.BinOp(node.right, node.op, node.left))
    if isinstance(node, ast.Call) and called(node) == "tl.where":
        condition, first, second = node.args
        yield ast.unparse(ast.Call(node.func, [condition, second, first], []))


def constant_changed(node: ast.expr | ast.stmt, scope: Scope) -> Iterator[str]:
    """Add one to a number that is computed with: no size of a block, no axis, nothing behind a mask."""
    if not isinstance(node, ast.Constant) or type(node.value) not in {int, float}:
        return
    above = list(scope.above(node))
    sizes = any(called(parent) in _NO_SIZES for parent in above)
    options = any(isinstance(parent, ast.keyword | ast.Subscript) for parent in above)
    if not sizes and not options:
        assert isinstance(node.value, int | float)
        yield repr(node.value + 1)


def _cast(node: ast.expr | ast.stmt, target: str) -> Iterator[str]:
    match node:
        case ast.Call(ast.Attribute(value, "to"), [argument]) if ast.unparse(argument) == target:
            yield ast.unparse(value)


def upcast_dropped(node: ast.expr | ast.stmt, scope: Scope) -> Iterator[str]:
    """Compute in the elements' type, where that is not made float32 by what it meets."""
    for after in _cast(node, "tl.float32"):
        if not promoted(node, scope):
            yield after


def int64_dropped(node: ast.expr | ast.stmt, _: Scope) -> Iterator[str]:
    """Multiply a stride in 32 bits."""
    return _cast(node, "tl.int64")


def rounding_dropped(node: ast.expr | ast.stmt, scope: Scope) -> Iterator[str]:
    """Go on with more digits than are stored; a store rounds by itself, so that nothing changes there."""
    parent = scope.parents.get(node)
    if isinstance(node, ast.Call) and called(parent or node) != "tl.store":
        for argument in node.args[:1]:
            if ast.unparse(argument).endswith((".dtype", ".element_ty")):
                yield from _cast(node, ast.unparse(argument))


def float64(node: ast.expr | ast.stmt, _: Scope) -> Iterator[str]:
    """Compute in float64, which is slow and no more right."""
    if isinstance(node, ast.Attribute) and ast.unparse(node) == "tl.float32":
        yield "tl.float64"


def wrong_stride(node: ast.expr | ast.stmt, scope: Scope) -> Iterator[str]:
    """Take the stride of something else, or none where there is one only."""
    if isinstance(node, ast.Name) and node.id.endswith("_stride"):
        yield scope.next_parameter(node.id, "_stride") or "1"


def wrong_pointer(node: ast.expr | ast.stmt, scope: Scope) -> Iterator[str]:
    """Read or write another tensor."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id.endswith("_ptr"):
        other = scope.next_parameter(node.id, "_ptr")
        if other and not isinstance(scope.parents[node], ast.Attribute):
            yield other


def tail_skipped(node: ast.expr | ast.stmt, _: Scope) -> Iterator[str]:
    """Leave the first or last block of a loop out, or what is beyond the last whole one."""
    if not isinstance(node, ast.Call):
        return
    arguments = [ast.unparse(argument) for argument in node.args]
    if called(node) == "range" and len(arguments) == 3:
        begin, end, step = arguments
        yield f"range({begin}, {end} - {step}, {step})"
        yield f"range({begin} + {step}, {end}, {step})"
    if called(node) == "tl.cdiv":
        yield f"{arguments[0]} // {arguments[1]}"


def index_swapped(node: ast.expr | ast.stmt, _: Scope) -> Iterator[str]:
    """Take the other axis, or the remainder for the quotient."""
    if isinstance(node, ast.Call) and called(node) == "tl.program_id":
        yield f"tl.program_id({1 - int(ast.unparse(node.args[0]))})"
    if isinstance(node, ast.Subscript) and ast.unparse(node.slice) in {"(:, None)", "(None, :)"}:
        other = "[None, :]" if ast.unparse(node.slice) == "(:, None)" else "[:, None]"
        yield f"{ast.unparse(node.value)}{other}"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.FloorDiv | ast.Mod):
        other = "%" if isinstance(node.op, ast.FloorDiv) else "//"
        yield f"({ast.unparse(node.left)}) {other} ({ast.unparse(node.right)})"


def accumulator(node: ast.expr | ast.stmt, _: Scope) -> Iterator[str]:
    """Begin a sum at one, a maximum at zero."""
    if isinstance(node, ast.Call) and called(node) == "tl.zeros":
        yield ast.unparse(
            ast.Call(ast.Name("tl.full"), [*node.args[:1], ast.Constant(1.0), *node.args[1:]], node.keywords)
        )
    if isinstance(node, ast.Call) and called(node) == "tl.full":
        yield ast.unparse(
            ast.Call(node.func, [node.args[0], ast.Constant(0.0), *node.args[2:]], node.keywords)
        )


def wrong_function(node: ast.expr | ast.stmt, _: Scope) -> Iterator[str]:
    """Call a function like it."""
    if isinstance(node, ast.Attribute) and ast.unparse(node) in _FUNCTIONS:
        yield _FUNCTIONS[ast.unparse(node)]
    if isinstance(node, ast.BinOp) and type(node.op) in _BITWISE:
        yield f"({ast.unparse(node.left)}) {_BITWISE[type(node.op)]} ({ast.unparse(node.right)})"


def statement_dropped(node: ast.expr | ast.stmt, scope: Scope) -> Iterator[str]:
    """Do not store, do not add, do not assign again."""
    again = isinstance(node, ast.Assign) and any(
        isinstance(other, ast.Assign | ast.AnnAssign)
        and other.lineno < node.lineno
        and set(_names(other)) & set(_names(node))
        and _in_one_block(scope, other, node)
        for other in scope.inside
    )
    stores = isinstance(node, ast.Expr) and called(node.value) == "tl.store"
    if again or stores or (isinstance(node, ast.AugAssign) and not isinstance(node.value, ast.Tuple)):
        yield "pass"


def _names(node: ast.Assign | ast.AnnAssign) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]


def _in_one_block(scope: Scope, earlier: ast.AST, later: ast.AST) -> bool:
    """Return whether `earlier` is done whenever `later` is: it stands in a block around it."""
    return scope.parents[earlier] in {scope.function, *scope.above(later)}


KERNEL_OPERATORS: Mapping[str, Operator] = {
    "mask dropped": mask_dropped,
    "other changed": other_changed,
    "comparison": comparison,
    "sign": sign,
    "factor dropped": factor_dropped,
    "operands exchanged": operands_exchanged,
    "constant changed": constant_changed,
    "upcast dropped": upcast_dropped,
    "int64 dropped": int64_dropped,
    "rounding dropped": rounding_dropped,
    "float64": float64,
    "wrong stride": wrong_stride,
    "wrong pointer": wrong_pointer,
    "tail skipped": tail_skipped,
    "index swapped": index_swapped,
    "accumulator": accumulator,
    "wrong function": wrong_function,
    "statement dropped": statement_dropped,
}
"""Of functions under ``@jit``."""
