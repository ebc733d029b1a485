"""The functions that a property names, called by the names of its inputs."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from pv.check import CheckError
from pv.properties.alias import remembers, same_code
from pv.properties.grammar import expression, names_in
from pv.properties.results import own_copy
from pv.properties.source import plain
from pv.properties.stated import Stated

__all__ = ["Functions", "arguments_of", "copied", "inverted", "resolve"]

Function = Callable[..., Any]


@dataclasses.dataclass(frozen=True)
class Functions:
    """The code of a property; `first` and `second` are the parameters that mutants touch, or empty.

    `taken` are the inputs that are parameters of the subject; the others only stand in expressions.
    """

    subject: Function
    taken: tuple[str, ...]
    reference: Function | None
    inverse: Function | None
    first: str
    second: str


def resolve(stated: Stated) -> Functions:
    """Import what `stated` names.

    Raises
    ------
    CheckError
        There is no such function, the subject cannot be called with the inputs, or one of these is neither a
        parameter nor named by an expression; or the reference is the subject; or what is called twice
        remembers.
    """
    subject = _named(stated.subject)
    reference = _named(stated.reference) if stated.reference else None
    if reference is not None and same_code(subject, reference):
        raise CheckError(f"{stated.reference} is the subject under another name: they cannot but be equal")
    if stated.type == "determinism" and remembers(subject):
        raise CheckError(f"{stated.subject} remembers what it returned: a second call computes nothing")
    try:
        parameters = list(inspect.signature(subject).parameters)
        named = [name for name in parameters if name in stated.inputs]
        inspect.signature(subject).bind(**dict.fromkeys(named))
    except (TypeError, ValueError) as error:
        raise CheckError(f"{stated.subject} cannot be called with its inputs by name: {error}") from error
    lines = [*stated.requires, *stated.ensures, *stated.under.values()]
    lines += [text for given in stated.inputs.values() for text in given.expressions]
    lines += [limit for limit in (stated.low, stated.high) if isinstance(limit, str)]
    used = {name for line in lines for name in names_in(expression(line))}
    if idle := sorted(set(stated.inputs) - used - set(named)):
        raise CheckError(f"{stated.subject} has no parameter {idle[0]}, and no expression names it")
    first = stated.along or next((name for name in named if name in stated.under or not stated.under), "")
    second = stated.other or next((name for name in named if name != first), "")
    return Functions(
        subject,
        tuple(named),
        reference,
        _named(stated.inverse) if stated.inverse else None,
        first,
        second,
    )


def arguments_of(functions: Functions, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of the reference.

    Its parameters are inputs by their names; or else it has as many as the subject, in the same order.

    Raises
    ------
    CheckError
        They are neither.
    """
    names = list(inspect.signature(functions.reference or functions.subject).parameters)
    if set(names) <= set(values):
        return {name: values[name] for name in names}
    if len(names) != len(functions.taken):
        raise CheckError(f"the reference does not take {', '.join(functions.taken)}")
    return {name: values[own] for name, own in zip(names, functions.taken, strict=True)}


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
    return {name: own_copy(value) for name, value in values.items()}


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
