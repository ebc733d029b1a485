"""The counter-examples of a property: standard mutants of its subject, which need no code."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

from pv.check import CheckError
from pv.properties.comparing import is_array

__all__ = ["MUTANTS", "mutated"]

Function = Callable[..., Any]

MUTANTS: Mapping[str, str] = {
    "off_by_one": "returns one more",
    "sign_flipped": "returns the negative",
    "scaled": "returns twice as much",
    "constant": "returns nothing but zeros",
    "one_element_changed": "returns an array or a sequence whose first element is one more",
    "argument_added": "adds its first argument to what it returns",
    "arguments_swapped": "takes its first two arguments for each other",
    "identity": "returns its first argument",
    "nondeterministic": "returns one more at every second call",
}
"""Name → what such a subject does. The first argument is ``along:``, the second ``other:``, where stated."""

SYMBOLIC = frozenset(MUTANTS) - {"nondeterministic", "one_element_changed"}
"""Those that also a proof can be asked of: what they return is a function of the arguments."""


def mutated(name: str, function: Function, first: str, second: str) -> Function:
    """Return `function`, called by keywords, with the defect `name`; `first` and `second` are parameters.

    Raises
    ------
    CheckError
        There is no such mutant; or, when it is called, it has no meaning for such a result.
    """
    if name not in MUTANTS:
        raise CheckError(f"there is no mutant {name!r}; there are {', '.join(MUTANTS)}")
    if name in {"identity", "argument_added"} and not first:
        raise CheckError(f"mutant {name} needs an argument")
    if name == "arguments_swapped" and not second:
        raise CheckError("mutant arguments_swapped needs two arguments")
    calls = itertools.count()

    def mutant(**given: Any) -> Any:
        match name:
            case "identity":
                return given[first]
            case "arguments_swapped":
                return function(**{**given, first: given[second], second: given[first]})
            case "argument_added":
                result = function(**given)
                return _added(result, given[first])
            case "one_element_changed":
                return _first_changed(function(**given))
            case "nondeterministic":
                result = function(**given)
                return _each(result, "off_by_one") if next(calls) % 2 else result
        return _each(function(**given), name)

    return mutant


def _each(value: Any, name: str) -> Any:
    """Do to every number of `value` what `name` says."""
    if isinstance(value, tuple):
        return tuple(_each(part, name) for part in value)
    if isinstance(value, list):
        return [_each(part, name) for part in value]
    if isinstance(value, str | bytes):
        return _text(value, name)
    if isinstance(value, bool) or type(value).__name__ == "BoolRef" or _is_truths(value):
        return value == False  # noqa: E712  also a solver's truth can be asked so
    match name:
        case "off_by_one":
            return value + 1
        case "sign_flipped":
            return -value
        case "scaled":
            return value * 2
        case "constant":
            return value * 0
    raise CheckError(f"mutant {name} has no meaning for {type(value).__name__}")


def _is_truths(value: Any) -> bool:
    return is_array(value) and str(value.dtype).endswith("bool")


def _text(value: str | bytes, name: str) -> str | bytes:
    if name == "constant":
        return value[:0]
    if name != "off_by_one":
        raise CheckError(f"mutant {name} has no meaning for {type(value).__name__}")
    if isinstance(value, bytes):
        return bytes(byte ^ 1 for byte in value)
    return "".join(chr(ord(letter) ^ 1) for letter in value)


def _added(result: Any, argument: Any) -> Any:
    if isinstance(result, bool | str | bytes | list | tuple | dict):
        raise CheckError(f"mutant argument_added has no meaning for {type(result).__name__}")
    return result + argument


def _first_changed(value: Any) -> Any:
    if is_array(value) and len(value.shape):
        changed = value.clone() if hasattr(value, "clone") else value.copy()
        flat = changed.reshape(-1)
        if len(flat):
            flat[0] = _each(flat[0], "off_by_one")
        return flat.reshape(changed.shape)
    if isinstance(value, str | bytes):
        return _text(value[:1], "off_by_one") + value[1:]  # type: ignore[operator]
    if isinstance(value, list | tuple):
        return type(value)([_each(part, "off_by_one") if i == 0 else part for i, part in enumerate(value)])
    raise CheckError(f"mutant one_element_changed has no meaning for {type(value).__name__}: it is one")
