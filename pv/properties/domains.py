"""The domain of a property: in which order inputs are chosen, how many choices there are, and all of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

from pv.properties.evaluate import evaluate
from pv.properties.grammar import expression, names_in
from pv.properties.stated import Bound, Input

__all__ = ["MOST", "bound", "enumerable", "every", "in_order"]

MOST = 100_000
"""So many choices are tried one by one; of more, examples are drawn."""
_KNOWN: dict[str, bool] = {}
"""Inputs, spelled → whether they are enumerable: a function of nothing else."""


def in_order(inputs: Mapping[str, Input]) -> list[str]:
    """Return the names, each behind those that its bounds name; of what is free, by the alphabet."""
    left = {
        name: {used for text in given.expressions for used in names_in(expression(text))}
        for name, given in inputs.items()
    }
    order: list[str] = []
    while left:
        name = min(name for name, needed in left.items() if not needed & left.keys())
        order.append(name)
        del left[name]
    return order


def bound(value: Bound, chosen: Mapping[str, Any]) -> Any:
    """Return a bound as a number, or None, for the inputs that are chosen."""
    return evaluate(value, chosen) if isinstance(value, str) else value


def every(inputs: Mapping[str, Input]) -> Iterator[dict[str, Any]]:
    """Yield every choice of `inputs`, all of which have finitely many values; each small value first."""
    order = in_order(inputs)

    def choose(names: list[str], chosen: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if not names:
            yield chosen
            return
        for value in _values(inputs[names[0]], chosen):
            yield from choose(names[1:], {**chosen, names[0]: value})

    return choose(order, {})


def enumerable(inputs: Mapping[str, Input]) -> bool:
    """Tell whether there are at most :data:`MOST` choices of `inputs`, without running anything of a project.

    What cannot be told, because a bound divides by zero, say, is not enumerable.
    """
    # Every rule over a contract asks for each property again, and to count many choices takes long.
    # Spelled, since 1, 1.0 and true are equal, and compute otherwise.
    key = repr(sorted(inputs.items()))
    if key not in _KNOWN:
        _KNOWN[key] = _enumerable(inputs)
    return _KNOWN[key]


def _enumerable(inputs: Mapping[str, Input]) -> bool:
    if not all(_finite(given) for given in inputs.values()):
        return False
    if not any(given.expressions for given in inputs.values()):
        return math.prod(_count(given) for given in inputs.values()) <= MOST
    try:
        return sum(1 for _ in itertools.islice(every(inputs), MOST + 1)) <= MOST
    except (ArithmeticError, TypeError, ValueError):
        return False


def _finite(given: Input) -> bool:
    if given.shape is not None:
        return False
    if given.form == "integers":
        return given.low is not None and given.high is not None
    return given.form in {"choices", "equals"}


def _count(given: Input) -> int:
    if given.form == "choices":
        return len(given.choices)
    return int(given.high or 0) - int(given.low or 0) + 1


def _values(given: Input, chosen: Mapping[str, Any]) -> Any:
    if given.form == "choices":
        return given.choices
    if given.form == "equals":
        return (evaluate(given.equals, chosen),)
    return range(bound(given.low, chosen), bound(given.high, chosen) + 1)
