"""What a check recorded: series of samples, whether each sample can be judged at all, and their JSON.

In JSON, NaN and the infinities are the strings ``"NaN"``, ``"Infinity"``, ``"-Infinity"``; a text that
happens to be one of these is ``{"text": "NaN"}``; floats are written by ``repr`` and integers in full, so
that everything comes back exactly.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any, TypeAlias

from pv.check import CheckError, Metric, Value
from pv.errors import EvidenceError
from pv.expression.exact import MAXIMUM_BITS, shown
from pv.sample_value import plain

__all__ = [
    "Measurements",
    "Series",
    "faults",
    "measurements_from_json",
    "measurements_to_json",
    "plain",
    "series_of",
]


@dataclasses.dataclass(frozen=True)
class Series:
    """The samples of one metric in the order of recording.

    Parameters
    ----------
    values
        One of ``int``, ``float``, ``str``, ``bool`` each (a ``bool`` is never valid, but is kept).
    labels
        As many as values, naming what each was measured on; or none at all.
    """

    values: tuple[Value, ...]
    labels: tuple[str | None, ...] = ()

    def __post_init__(self) -> None:
        """Refuse labels that do not pair with the values."""
        if self.labels and len(self.labels) != len(self.values):
            raise CheckError(f"{len(self.values)} samples have {len(self.labels)} labels")

    def __len__(self) -> int:
        return len(self.values)

    def label(self, index: int) -> str | None:
        """Return the label of the sample at `index`, counted from 0."""
        return self.labels[index] if self.labels else None


Measurements: TypeAlias = Mapping[str, Series]


def series_of(samples: Iterable[tuple[Any, str | None]]) -> Series:
    """Return the series of (value, label) pairs, values made :func:`plain`."""
    pairs = [(plain(value), label) for value, label in samples]
    labels = tuple(label for _, label in pairs)
    return Series(tuple(value for value, _ in pairs), labels if any(x is not None for x in labels) else ())


def faults(metric: Metric, series: Series) -> Iterator[str]:
    """Yield, for each sample that cannot be a measurement of `metric`, which one and why."""
    if metric.kind == "text":
        for index, value in enumerate(series.values):
            if type(value) is not str:
                yield _fault(metric, series, index, f"is {_named(value)}, not a text")
        return
    # The common case in one pass: a float (or a count) within its bounds needs no second look.
    low = -sys.float_info.max if metric.low is None else metric.low
    high = sys.float_info.max if metric.high is None else metric.high
    wanted = float if metric.kind == "real" else int
    floor = max(low, 0) if metric.kind == "count" else low
    for index, value in enumerate(series.values):
        if type(value) is wanted and floor <= value <= high:
            continue
        if reason := _why_invalid(metric, value):
            yield _fault(metric, series, index, reason)


def _fault(metric: Metric, series: Series, index: int, reason: str) -> str:
    label = series.label(index)
    return f"{metric.name} {f'of {label}' if label is not None else f'(sample {index})'} {reason}"


def _named(value: Value) -> str:
    return f"the text {value[:40]!r}" if isinstance(value, str) else f"the {type(value).__name__} {value}"


def _why_invalid(metric: Metric, value: Value) -> str:
    if isinstance(value, bool | str):
        return f"is {_named(value)}, not a number"
    if isinstance(value, float) and not math.isfinite(value):
        return "is NaN" if math.isnan(value) else f"is {value}, not a finite number"
    if isinstance(value, int) and value.bit_length() > MAXIMUM_BITS:
        return f"is {shown(value)}, longer than {MAXIMUM_BITS} bits"
    if metric.kind == "count" and (not isinstance(value, int) or value < 0):
        return f"is {value}, not a non-negative integer"
    slack = Fraction(metric.slack)
    if metric.low is not None and value < Fraction(metric.low) - slack:
        return f"is {value}, below {metric.low}, the least that it can be"
    if metric.high is not None and value > Fraction(metric.high) + slack:
        return f"is {value}, above {metric.high}, the most that it can be"
    return ""


_SELF_TYPES = frozenset({bool, int, float})
_LABEL_TYPES = frozenset({str, type(None)})
_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def _value_to_json(value: Value) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, str) and value in _WORDS:
        return {"text": value}
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > MAXIMUM_BITS:
        return {"integer": hex(value)}
    return value


def _value_from_json(value: Any) -> Value:
    if isinstance(value, str):
        return _WORDS.get(value, value)
    if isinstance(value, dict) and isinstance(value.get("text"), str):
        return str(value["text"])
    if isinstance(value, dict) and isinstance(value.get("integer"), str):
        return int(value["integer"], 16)
    if isinstance(value, bool | int | float):
        return value
    raise EvidenceError(f"a recorded sample is a {type(value).__name__}", remedy="record the evidence again")


def measurements_to_json(measurements: Measurements) -> dict[str, Any]:
    """Return ``{metric: {"values": […], "labels": […]}}``, sorted by metric; labels where there are any."""
    return {
        name: {"values": [_value_to_json(value) for value in series.values]}
        | ({"labels": list(series.labels)} if series.labels else {})
        for name, series in sorted(measurements.items())
    }


def measurements_from_json(document: Any) -> dict[str, Series]:
    """Return the inverse of :func:`measurements_to_json`.

    Raises
    ------
    EvidenceError
        The document has another shape.
    """
    try:
        return {str(name): _series_from_json(entry) for name, entry in document.items()}
    except (AttributeError, KeyError, TypeError, ValueError, CheckError) as error:
        raise EvidenceError(
            f"the recorded measurements are malformed ({type(error).__name__}: {error})",
            remedy="record the evidence again",
        ) from None


def _series_from_json(entry: Any) -> Series:
    values, labels = entry["values"], entry.get("labels", [])
    if not isinstance(values, list) or not isinstance(labels, list) or set(entry) - {"values", "labels"}:
        raise TypeError("a series is a list of values and a list of labels")
    if not _LABEL_TYPES.issuperset(map(type, labels)):
        raise TypeError("a label is a text or null")
    if not _SELF_TYPES.issuperset(map(type, values)):  # else, as mostly, each stands for itself
        values = [_value_from_json(value) for value in values]
    return Series(tuple(values), tuple(labels))
