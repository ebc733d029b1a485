"""What code returned, as plain values: a type of somebody's own says of itself what it is equal to."""

from __future__ import annotations

import copy
import dataclasses
import math
import sys
from decimal import Decimal
from fractions import Fraction
from typing import Any

from pv.check import CheckError

__all__ = ["has_nan", "own_copy", "plain_value"]

_EXACT = (bool, int, float, complex, str, bytes, type(None), Fraction, Decimal, range)


def plain_value(value: Any) -> Any:
    """Return `value` as what Python, numpy or torch compare by themselves.

    What is derived from a number, a text, an array, a sequence or a mapping becomes one; an object of a data
    class becomes its name and its fields.

    Raises
    ------
    CheckError
        It is something else, whose own methods would say whether it is equal.
    """
    if type(value) in _EXACT:
        return value
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    if numpy is not None and isinstance(value, numpy.ndarray | numpy.generic):
        return _plain_array(value, numpy)
    if torch is not None and type(value) in {torch.Tensor, torch.nn.Parameter}:
        return value
    match value:
        case int():
            return int.__pos__(value)
        case float():
            return float.__pos__(value)
        case str():
            return str.__getitem__(value, slice(None))
        case bytes():
            return bytes.__getitem__(value, slice(None))
        case tuple():
            return tuple(plain_value(part) for part in tuple.__iter__(value))
        case list():
            return [plain_value(part) for part in list.__iter__(value)]
        case dict():
            return {plain_value(key): plain_value(part) for key, part in dict.items(value)}
        case set():
            return {plain_value(part) for part in set.__iter__(value)}
        case frozenset():
            return frozenset(plain_value(part) for part in frozenset.__iter__(value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [field.name for field in dataclasses.fields(value)]
        return (type(value).__qualname__, {name: plain_value(_field(value, name)) for name in fields})
    raise CheckError(
        f"the result is a {type(value).__qualname__}, which is not compared: numbers, texts, arrays of numpy "
        "and torch, and sequences and mappings of such are"
    )


def own_copy(value: Any) -> Any:
    """Return `value` with arrays, lists and mappings of its own: what is written into later is not it.

    What cannot be copied is returned as it is.
    """
    if type(value) in _EXACT:
        return value
    if hasattr(value, "clone"):
        return value.clone()
    try:
        return copy.deepcopy(value)
    except (TypeError, copy.Error):
        return value


def has_nan(value: Any) -> bool:
    """Tell whether a plain `value` is NaN, or holds one."""
    if type(value) is int or type(value) is bool:  # most are
        return False
    if isinstance(value, float):
        return math.isnan(value)
    if isinstance(value, complex):
        return math.isnan(value.real) or math.isnan(value.imag)
    if isinstance(value, Decimal):
        return value.is_nan()
    if isinstance(value, list | tuple | set | frozenset):
        return any(map(has_nan, value))
    if isinstance(value, dict):
        return any(map(has_nan, value.values()))
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return bool((value != value).any())  # noqa: PLR0124  NaN alone is not equal to itself
    return False


def _plain_array(value: Any, numpy: Any) -> Any:
    if isinstance(value, numpy.generic):
        # By what it is: a class may say of itself that it is numpy's.
        return value if type(value) in numpy.sctypeDict.values() else plain_value(numpy.generic.item(value))
    if numpy.ndarray.dtype.__get__(value).hasobject:
        raise CheckError("the result is an array of objects, which is not compared: arrays of numbers are")
    return value if type(value) is numpy.ndarray else numpy.ndarray.view(value, numpy.ndarray)


def _field(value: Any, name: str) -> Any:
    try:
        return object.__getattribute__(value, name)
    except AttributeError as error:
        raise CheckError(f"the result, a {type(value).__qualname__}, has no {name}") from error
