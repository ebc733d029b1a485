"""What names stand for in a function that is translated, and nothing of which that is not sure."""

from __future__ import annotations

import ast
import builtins
import inspect
import types
from collections.abc import Mapping, Sequence
from typing import Any

import z3

from pv.properties.source import NotPureError

__all__ = ["Names", "own", "parameters_of", "spelled"]


class Names:
    """What names stand for at one place of a function: its variables, then its module, then Python's own."""

    def __init__(self, values: dict[str, Any], function: Any) -> None:
        self._values = values
        self._function = function

    def bound(self, target: ast.expr, value: Any) -> Names:
        """Return these names with `target` for `value`; tuples are taken apart.

        Raises
        ------
        NotPureError
            It is no name and no tuple of such, or there are not as many values.
        """
        if isinstance(target, ast.Name):
            return Names({**self._values, target.id: value}, self._function)
        if isinstance(target, ast.Tuple) and isinstance(value, tuple) and len(target.elts) == len(value):
            names = self
            for one, part in zip(target.elts, value, strict=True):
                names = names.bound(one, part)
            return names
        raise NotPureError(f"an assignment to {spelled(target)} is not translated")

    def look_up(self, name: str) -> Any:
        """Return what `name` stands for.

        Raises
        ------
        NotPureError
            It is a variable that may not be assigned, or no name of the module.
        """
        if name in self._values:
            return self._values[name]
        if self._function is None or name in _variables(self._function):
            raise NotPureError(f"{name} may not be assigned")
        if name not in self._function.__globals__:
            raise NotPureError(f"{name} is not translated")
        return own(self._function.__globals__[name], name)

    def is_built_in(self, name: str) -> bool:
        """Tell whether `name`, one of Python's own, is hidden by no other.

        Raises
        ------
        NotPureError
            Somebody put another function in its place.
        """
        found = vars(builtins)[name]
        if found is not int and (not isinstance(found, types.BuiltinFunctionType) or found.__name__ != name):
            raise NotPureError(f"{name} was exchanged")
        hidden = self._function is not None and (
            name in self._function.__globals__ or name in _variables(self._function)
        )
        return name not in self._values and not hidden


def parameters_of(function: Any, itself: Sequence[Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the parameters of a function are when it is called on `itself` with `arguments` by name.

    Raises
    ------
    NotPureError
        It takes others, or any number of them.
    """
    parameters = inspect.signature(function).parameters
    given = {**dict(zip(parameters, itself, strict=False)), **arguments}
    for name, parameter in parameters.items():
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            raise NotPureError(f"{function.__qualname__} takes any number of arguments")
        if name not in given:
            if parameter.default is parameter.empty:
                raise NotPureError(f"{function.__qualname__} is not given its {name}")
            given[name] = own(parameter.default, name)
    if unknown := given.keys() - parameters.keys():
        raise NotPureError(f"{function.__qualname__} has no {min(unknown)}")
    return given


def _variables(function: Any) -> tuple[str, ...]:
    """Return the names that are a function's own, also those that a function within it sees."""
    code = function.__code__
    return (*code.co_varnames, *code.co_cellvars)


def own(value: Any, name: str) -> Any:
    """Return what a project's name stands for.

    Raises
    ------
    NotPureError
        It is a term, or a tuple with one in it: it would be taken for an input.
    """
    if z3.is_ast(value):
        raise NotPureError(f"{name} is a term of the solver's")
    if isinstance(value, tuple):
        for part in value:
            own(part, name)
    return value


def spelled(node: ast.AST) -> str:
    """Return the first line of what `node` is in Python, for messages."""
    return ast.unparse(node).split("\n")[0][:80]
