"""Inputs that hypothesis draws: strategies that follow from what a clause says of each input."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any, Literal, NoReturn

from pv.properties.domains import bound, in_order
from pv.properties.evaluate import evaluate
from pv.properties.stated import Input

__all__ = ["choices_of"]

_BITS: Mapping[str, Literal[16, 32, 64]] = {"float16": 16, "float32": 32, "float64": 64}


def choices_of(inputs: Mapping[str, Input], refuse: Callable[[], NoReturn]) -> Any:
    """Return hypothesis' strategy of dictionaries, name → value, each behind those that it depends on.

    `refuse` is called, and raises, where for what was chosen before there is no value.
    """
    from hypothesis import strategies

    @strategies.composite
    def chosen(draw: Callable[[Any], Any]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name in in_order(inputs):
            values[name] = _drawn(draw, inputs[name], values, refuse)
        return values

    return chosen()


def _drawn(
    draw: Callable[[Any], Any], given: Input, chosen: Mapping[str, Any], refuse: Callable[[], NoReturn]
) -> Any:
    from hypothesis import strategies

    if given.form == "equals":
        return evaluate(given.equals, chosen)
    if given.form == "choices":
        return draw(strategies.sampled_from(given.choices))
    low, high = bound(given.low, chosen), bound(given.high, chosen)
    if low is not None and high is not None and low > high:
        refuse()
    if given.form == "text":
        # Not half of a pair: such a text cannot be encoded.
        letters = strategies.characters(exclude_categories=["Cs"])
        return draw(strategies.text(letters, min_size=low or 0, max_size=high))
    if given.form == "bytes":
        return draw(strategies.binary(min_size=low or 0, max_size=high))
    if given.shape is None:
        return draw(_scalars(given, low, high))
    shape = tuple(int(bound(part, chosen)) for part in given.shape)
    return _array(draw, given, low, high, shape)


def _scalars(given: Input, low: Any, high: Any) -> Any:
    from hypothesis import strategies

    if given.form == "integers":
        return strategies.integers(low, high)
    return strategies.floats(
        low, high, allow_nan=False, allow_infinity=False, width=_BITS.get(given.dtype, 64)
    )


def _array(draw: Callable[[Any], Any], given: Input, low: Any, high: Any, shape: tuple[int, ...]) -> Any:
    from hypothesis.extra import numpy as arrays

    dtype = given.dtype or ("int64" if given.form == "integers" else "float64")
    if given.form == "integers":
        limits = importlib.import_module("numpy").iinfo(dtype)
        low, high = limits.min if low is None else low, limits.max if high is None else high
        if low < limits.min or high > limits.max:
            raise ValueError(f"{dtype} has not all of {low} to {high}")
    array = draw(arrays.arrays(dtype, shape, elements=_scalars(given, low, high)))
    if given.container == "list":
        return array.tolist()
    return importlib.import_module("torch").from_numpy(array) if given.container == "torch" else array
