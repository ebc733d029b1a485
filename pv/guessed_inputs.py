"""What the parameters of a function may be given, guessed from its source: nothing is imported, nothing runs.

Only annotations are read. What says nothing of itself is left to be written; so is a range, which no
annotation states.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from pv.config import Config
from pv.errors import BindingError, Location
from pv.module_source import find_source
from pv.properties.stated import REFERENCE
from pv.python_source import bound_names

__all__ = ["TODO", "Guessed", "guess_inputs"]

TODO = "TODO"
"""What stands where something is to be written: no input, no code and no expression is called so."""
_UNBOUNDED: Sequence[None] = (None, None)
_LENGTHS = [1, 8]
_SCALARS: Mapping[str, Mapping[str, Any]] = {
    "int": {"integers": [*_UNBOUNDED]},
    "float": {"floats": [*_UNBOUNDED]},
    "bool": {"choices": [False, True]},
    "str": {"text": [*_UNBOUNDED]},
    "bytes": {"bytes": [*_UNBOUNDED]},
}
_ARRAYS = {"ndarray": "numpy", "NDArray": "numpy", "Tensor": "torch"}
_LISTS = frozenset({"list", "List", "Sequence", "MutableSequence", "Iterable", "Collection"})
_DTYPES = frozenset(
    {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32)}
    | {"int64", "float16", "float32", "float64"}
)


@dataclasses.dataclass(frozen=True)
class Guessed:
    """The parameters that have to be given, and the inputs for them: these, and the lengths of arrays."""

    parameters: tuple[str, ...]
    inputs: Mapping[str, Any]


def guess_inputs(reference: str, config: Config) -> Guessed:
    """Guess ``inputs:`` of the function that `reference` (``module:function``) names.

    A parameter that has a default is left out. `TODO` stands for one whose annotation says nothing that an
    input could be.

    Raises
    ------
    BindingError
        `reference` names no function in the project's sources, or one that cannot be called by name.
    """
    definition, where, owner = _definition(reference, config)
    arguments = definition.args
    listed = [*arguments.posonlyargs, *arguments.args]
    needed = listed[: len(listed) - len(arguments.defaults)]
    decorators = {_last(decorator) for decorator in definition.decorator_list}
    if owner and "staticmethod" not in decorators:
        if "classmethod" not in decorators:
            raise BindingError(
                f"{reference} is a method: who calls it has an object",
                where=where,
                remedy="write a function that makes one and calls it",
            )
        needed = needed[1:]
    if any(argument in arguments.posonlyargs for argument in needed):
        raise BindingError(
            f"{reference} has parameters that cannot be given by name",
            where=where,
            remedy="take the / out of its parameters, or write a function without it",
        )
    needed += [
        argument
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default is None
    ]
    names = [argument.arg for argument in needed]
    if TODO in names:
        raise BindingError(f"{reference} has a parameter {TODO}", where=where, remedy="call it otherwise")
    inputs: dict[str, Any] = {}
    for argument in needed:
        inputs |= _input(argument.arg, argument.annotation, names)
    return Guessed(tuple(names), inputs)


def _definition(reference: str, config: Config) -> tuple[ast.FunctionDef, Location, bool]:
    """Return the definition, where it stands, and whether that is in a class."""
    if not REFERENCE.fullmatch(reference):
        raise BindingError(f"{reference!r} names no function", remedy="write package.module:function")
    module, _, path = reference.partition(":")
    source = find_source(module, config)
    *classes, name = path.split(".")
    body = source.tree.body
    for owner in classes:
        owning = [node for bound, node in bound_names(body) if bound == owner]
        body = next((node.body for node in reversed(owning) if isinstance(node, ast.ClassDef)), [])
    # Of several definitions the last one counts.
    for bound, node in reversed([*bound_names(body)]):
        if bound == name and isinstance(node, ast.FunctionDef):
            return node, source.at(node), bool(classes)
    raise BindingError(
        f"{source.path} defines no function {path}",
        where=Location(source.path, 1, 1),
        remedy="correct the name, or name the module in which it is written",
    )


def _input(name: str, annotation: ast.expr | None, taken: Sequence[str]) -> dict[str, Any]:
    """Return the input for one parameter, behind those that its shape names."""
    found = _bare(annotation)
    if (container := _ARRAYS.get(_last(found))) is not None:
        dtype = _dtype(found)
        form = "integers" if "int" in dtype else "floats"
        (length,) = _lengths(name, 1, taken)
        element = {form: [*_UNBOUNDED], "shape": [length], **({"dtype": dtype} if dtype else {})}
        return {length: {"integers": _LENGTHS}, name: {**element, "as": container}}
    depth = 0
    while isinstance(found, ast.Subscript) and _last(found) in _LISTS:
        found, depth = _bare(found.slice), depth + 1
    if depth and _last(found) in {"int", "float"}:
        lengths = _lengths(name, depth, taken)
        element = {**_SCALARS[_last(found)], "shape": lengths, "as": "list"}
        return {**{length: {"integers": _LENGTHS} for length in lengths}, name: element}
    if depth == 0 and _last(found) == "Literal" and isinstance(found, ast.Subscript):
        members = found.slice.elts if isinstance(found.slice, ast.Tuple) else [found.slice]
        values = [member.value for member in members if isinstance(member, ast.Constant)]
        if len(values) == len(members) and all(isinstance(value, str | int) for value in values):
            return {name: {"choices": values}}
    scalar = isinstance(found, ast.Name) and depth == 0
    return {name: dict(_SCALARS.get(_last(found), {})) or TODO} if scalar else {name: TODO}


def _bare(annotation: ast.expr | None) -> ast.expr | None:
    """Return what an annotation says once quotes, ``Annotated``, ``Optional`` and ``| None`` are off."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            return _bare(ast.parse(annotation.value, mode="eval").body)
        except (SyntaxError, ValueError, RecursionError):
            return None
    if isinstance(annotation, ast.Subscript) and _last(annotation) in {"Annotated", "Optional", "Final"}:
        inner = annotation.slice
        return _bare(inner.elts[0] if isinstance(inner, ast.Tuple) and inner.elts else inner)
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        sides = [side for side in (annotation.left, annotation.right) if not _is_none(side)]
        return _bare(sides[0]) if len(sides) == 1 else None
    return annotation


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _last(node: ast.expr | None) -> str:
    """Return the last word of a dotted name, subscripted or called or not; empty of anything else."""
    if isinstance(node, ast.Subscript):
        node = node.value
    if isinstance(node, ast.Call):
        node = node.func
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _dtype(annotation: ast.expr | None) -> str:
    """Return the type of the elements that ``NDArray[np.int32]`` or the like names; else empty."""
    words = [_last(node) for node in ast.walk(annotation) if isinstance(node, ast.expr)] if annotation else []
    return next((word for word in words if word in _DTYPES), "")


def _lengths(name: str, depth: int, taken: Sequence[str]) -> list[str]:
    wanted = [f"{name}_length"] if depth == 1 else [f"{name}_size_{axis}" for axis in range(depth)]
    return [_free(word, taken) for word in wanted]


def _free(word: str, taken: Sequence[str]) -> str:
    while word in taken:
        word += "_"
    return word
