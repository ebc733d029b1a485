"""How far two results are apart: numbers, arrays of numpy or torch, and tuples, lists, mappings of such."""

from __future__ import annotations

import importlib
import math
import struct
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from pv.properties.results import has_nan
from pv.properties.stated import Tolerance

__all__ = ["above", "apart", "as_numpy", "identical", "is_array"]

NOWHERE = math.inf
"""The error of things that have no distance, such as two texts, or results of two shapes: above any limit."""


def is_array(value: Any) -> bool:
    """Tell whether `value` is an array of numpy or torch, or a number of either."""
    return hasattr(value, "shape") and hasattr(value, "dtype")


def as_numpy(value: Any) -> Any:
    """Return an array of either library as one of numpy."""
    numpy = importlib.import_module("numpy")
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = (value.float() if str(value.dtype) == "torch.bfloat16" else value).numpy()
    return numpy.asarray(value)


def apart(left: Any, right: Any, tolerance: Tolerance) -> tuple[float, bool]:
    """Return the largest distance of `left` from `right`, which is expected, and whether it is allowed.

    A NaN is apart from all but a NaN at its place, and so is an infinity from all but itself.
    """
    if is_array(left) or is_array(right):
        return _arrays_apart(left, right, tolerance)
    if _number(left) and _number(right):
        error = _distance(left, right)
        allowed = tolerance.absolute + tolerance.relative * abs(float(_bounded(right)))
        return error, error == 0 or (error <= allowed and math.isfinite(error))
    if isinstance(left, Mapping) and isinstance(right, Mapping) and left.keys() == right.keys():
        return _all_apart([(left[key], right[key]) for key in left], tolerance)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple) and len(left) == len(right):
        return _all_apart(list(zip(left, right, strict=True)), tolerance)
    same = type(left) is type(right) and bool(left == right)
    return (0.0, True) if same else (NOWHERE, False)


def above(left: Any, right: Any, tolerance: Tolerance) -> tuple[float, bool]:
    """Return how far `left`, or an element of it, is above `right`, and whether that is allowed.

    A NaN on either side is not; nor are arrays of two shapes, unless one is a single number.
    """
    if has_nan(left) or has_nan(right):
        return NOWHERE, False
    if is_array(left) or is_array(right):
        one, other = as_numpy(left), as_numpy(right)
        if one.shape != other.shape and one.shape and other.shape:
            return NOWHERE, False
        error = _array_above(one, other)
    elif isinstance(left, list | tuple) or isinstance(right, list | tuple):
        several = [
            above(one, other, tolerance)
            for one, other in zip(_spread(left, right), _spread(right, left), strict=True)
        ]
        return max((error for error, _ in several), default=0.0), all(ok for _, ok in several)
    else:
        error = 0.0 if left <= right else _distance(left, right)
    if math.isnan(error):
        return math.inf, False
    return max(error, 0.0), error <= tolerance.absolute


def identical(left: Any, right: Any) -> bool:
    """Tell whether two results are the same in every bit: minus zero is not zero, and a NaN is itself."""
    if is_array(left) and is_array(right):
        one, other = as_numpy(left), as_numpy(right)
        same = one.dtype == other.dtype and one.shape == other.shape
        return bool(same and one.tobytes() == other.tobytes())
    if isinstance(left, float) and isinstance(right, float):
        return struct.pack("<d", left) == struct.pack("<d", right)
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(identical(left[key], right[key]) for key in left)
    if isinstance(left, list | tuple) and type(left) is type(right):
        return len(left) == len(right) and all(map(identical, left, right))
    return type(left) is type(right) and bool(left == right)


def _arrays_apart(left: Any, right: Any, tolerance: Tolerance) -> tuple[float, bool]:
    numpy = importlib.import_module("numpy")
    one, other = as_numpy(left), as_numpy(right)
    if one.shape != other.shape:
        return NOWHERE, False
    one, other = numpy.atleast_1d(one), numpy.atleast_1d(other)
    exact = _as_they_are(one, other)
    if (exact is None or one.dtype == other.dtype) and numpy.array_equal(one, other):
        return 0.0, True
    if one.dtype.kind not in "biuf" or other.dtype.kind not in "biuf":
        return NOWHERE, False
    one, other = one.astype("f8"), other.astype("f8")
    with numpy.errstate(invalid="ignore", over="ignore"):
        error = numpy.abs(one - other)
        allowed = tolerance.absolute + tolerance.relative * numpy.abs(other)
    error[(one == other) | (numpy.isnan(one) & numpy.isnan(other))] = 0.0
    error[numpy.isnan(error)] = math.inf
    if exact is not None:  # what is not equal, and float64 rounds to one number
        for place in zip(
            *numpy.nonzero(numpy.isfinite(one) & (error == 0) & (exact[0] != exact[1])), strict=True
        ):
            error[place] = _distance(exact[0][place], exact[1][place])
    fine = (error == 0) | ((error <= allowed) & numpy.isfinite(error))
    return float(error.max(initial=0.0)), bool(fine.all())


def _array_above(one: Any, other: Any) -> float:
    """Return how far an element of `one` is above that of `other`, at most; NaN where it cannot be told."""
    numpy = importlib.import_module("numpy")
    with numpy.errstate(invalid="ignore", over="ignore"):
        left, right = _as_they_are(one, other) or (one, other)
        over = left > right
        difference = numpy.where(one == other, 0.0, one.astype("f8") - other.astype("f8"))
    if not difference.size:
        return 0.0
    error = float(numpy.max(difference))
    return 1.0 if error <= 0 and over.any() else error  # integers that float64 rounds to one number


def _as_they_are(one: Any, other: Any) -> tuple[Any, Any] | None:
    """Return two arrays as Python's own numbers where numpy would round one to compare it, or None."""
    kinds = {one.dtype.kind, other.dtype.kind}
    wide = any(part.dtype.kind in "iu" and part.dtype.itemsize == 8 for part in (one, other))
    return (one.astype(object), other.astype(object)) if wide and kinds <= set("biuf") else None


def _all_apart(pairs: list[tuple[Any, Any]], tolerance: Tolerance) -> tuple[float, bool]:
    found = [apart(one, other, tolerance) for one, other in pairs]
    return max((error for error, _ in found), default=0.0), all(ok for _, ok in found)


def _number(value: Any) -> bool:
    return isinstance(value, int | float)


def _bounded(value: Any) -> Any:
    return min(max(value, -1e300), 1e300) if isinstance(value, int) else value


def _distance(left: Any, right: Any) -> float:
    if left == right:
        return 0.0
    try:
        error = float(abs(left - right))
    except OverflowError:
        return math.inf
    if math.isnan(error):
        return 0.0 if math.isnan(left) and math.isnan(right) else math.inf
    # They are not equal: an integer was rounded to the float beside it.
    return error or float(abs(Fraction(left) - Fraction(right))) or 5e-324


def _spread(value: Any, beside: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value] * len(beside)
