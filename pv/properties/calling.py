"""The functions that a property names, called by the names of its inputs."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from pv.check import CheckError
from pv.properties.source import plain
from pv.properties.stated import Stated

__all__ = ["Functions", "arguments_of", "copied", "inverted", "resolve"]

Function = Callable[..., Any]


@dataclasses.dataclass(frozen=True)
class Functions:
    """The code of a property; `first` and `second` are the parameters that mutants touch, or empty."""

    subject: Function
    reference: Function | None
    inverse: Function | None
    first: str
    second: str


def resolve(stated: Stated) -> Functions:
    """Import what `stated` names.

    Raises
    ------
    CheckError
        There is no such function, or the subject cannot be called with the inputs.
    """
    subject = _named(stated.subject)
    try:
        parameters = list(inspect.signature(subject).parameters)
        inspect.signature(subject).bind(**dict.fromkeys(stated.inputs))
    except (TypeError, ValueError) as error:
        raise CheckError(f"{stated.subject} cannot be called with its inputs by name: {error}") from error
    named = [name for name in parameters if name in stated.inputs]
    first = stated.along or (named[0] if named else "")
    second = stated.other or next((name for name in named if name != first), "")
    return Functions(
        subject,
        _named(stated.reference) if stated.reference else None,
        _named(stated.inverse) if stated.inverse else None,
        first,
        second,
    )


def arguments_of(function: Function, values: Mapping[str, Any], order: Function) -> dict[str, Any]:
    """Return `values` under the names that `function` has for them.

    They are the same names, or else as many parameters as `order` has, in its order.

    Raises
    ------
    CheckError
        They are neither.
    """
    names = list(inspect.signature(function).parameters)
    if set(values) <= set(names):
        return dict(values)
    given = [name for name in inspect.signature(order).parameters if name in values]
    if len(given) > len(names) or len(given) < len(values):
        raise CheckError(f"{_name(function)} does not take {', '.join(sorted(values))}")
    return {name: values[own] for name, own in zip(names, given, strict=False)}


def inverted(function: Function, result: Any, others: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of an inverse: the result, taken apart if it is a tuple, and what else it takes.

    Raises
    ------
    CheckError
        It does not take so many.
    """
    names = list(inspect.signature(function).parameters)
    rest = {name: value for name, value in others.items() if name in names}
    parts = result if isinstance(result, tuple) else (result,)
    free = [name for name in names if name not in rest]
    if len(free) < len(parts):
        raise CheckError(f"{_name(function)} does not take what the subject returns")
    return {**rest, **dict(zip(free, parts, strict=False))}


def copied(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return `values` with arrays and lists of their own: a subject may write into what it is given."""
    return {name: _copied(value) for name, value in values.items()}


def _copied(value: Any) -> Any:
    if hasattr(value, "clone"):
        return value.clone()
    return value if isinstance(value, int | float | str | bytes | None) else copy.deepcopy(value)


def _named(reference: str) -> Function:
    module, _, path = reference.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for name in path.split("."):
            found = getattr(found, name)
    except (ModuleNotFoundError, AttributeError) as error:
        raise CheckError(f"{reference!r} names no code: {error}") from error
    found = plain(found)
    if not callable(found):
        raise CheckError(f"{reference!r} is no function")
    return found  # type: ignore[no-any-return]


def _name(function: Function) -> str:
    return getattr(function, "__qualname__", repr(function))
