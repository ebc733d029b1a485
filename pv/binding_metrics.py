"""The ``metrics:`` of a ``pytest:`` or ``command:`` check: what they are, and where they are read."""

from __future__ import annotations

from typing import Any

from pv.binding import Reading
from pv.check import CheckError, Metric
from pv.contract import Falsifier
from pv.errors import BindingError
from pv.json_pointer import PointerError, steps
from pv.placeholders import HoleError, holes

__all__ = ["EXIT_CODE", "PASSED", "declared_metrics"]

PASSED = Metric("passed", kind="count", low=0, high=1)
"""What the engine records of every test that is collected: 1, or 0 where its assertion failed."""

EXIT_CODE = "exit_code"
"""The metric that, where it is declared, holds how a command ended: 0 to 255."""

_NUMBERS = ("low", "high", "slack")
_TEXTS = ("name", "unit", "kind")
_PLACES = ("pointer", "file", "sha256_of")


def declared_metrics(falsifier: Falsifier) -> tuple[dict[str, Metric], tuple[Reading, ...]]:
    """Return the metrics by name, and for a command where each is read.

    Raises
    ------
    BindingError
        With the place: one is not declared as it must be, or says not where it is read.
    """
    metrics: dict[str, Metric] = {}
    readings: list[Reading] = []
    for index, entry in enumerate(falsifier.metrics):
        metric = _metric(falsifier, index, entry)
        if metric.name in metrics:
            raise _error(falsifier, f"metric {metric.name} is declared twice", "drop one", index, "name")
        metrics[metric.name] = metric
        if falsifier.command is not None:
            readings.append(_reading(falsifier, index, entry, metric))
    if falsifier.command is None:
        if PASSED.name in metrics:
            raise _error(
                falsifier,
                f"metric {PASSED.name} is recorded by pv for every test, not declared",
                "take it out; rules may use it",
            )
        metrics[PASSED.name] = PASSED
    elif not metrics:
        raise BindingError(
            "the command declares no metrics, so nothing would be measured",
            where=falsifier.key_where("command"),
            remedy="add metrics:, for example {name: exit_code} or {name: error, pointer: /error}",
        )
    return metrics, tuple(readings)


def _metric(falsifier: Falsifier, index: int, entry: Any) -> Metric:
    allowed = (*_TEXTS, *_NUMBERS, *(_PLACES if falsifier.command is not None else ()))
    for key, value in entry.items():
        if key not in allowed:
            why = f"a metric has no {key!r}"
            if key in _PLACES:
                why = f"{key!r} has a use for command: only; a test records with record_property"
            raise _error(falsifier, why, f"it may have {', '.join(allowed)}", index, key)
        numeric = isinstance(value, int | float) and not isinstance(value, bool)
        bound_left_open = value is None and key in {"low", "high"}
        if key in _NUMBERS and not numeric and not bound_left_open:
            raise _error(falsifier, f"{key} must be a number", "write a number", index, key)
        if key not in _NUMBERS and not isinstance(value, str):
            raise _error(falsifier, f"{key} must be a text", "write a text", index, key)
    if "name" not in entry:
        raise _error(falsifier, "a metric needs a name", "add name:", index)
    usual = "real"
    if falsifier.command is not None:
        usual = "count" if entry["name"] == EXIT_CODE else "text" if "sha256_of" in entry else "real"
    try:
        return Metric(**{"kind": usual, **{k: v for k, v in entry.items() if k not in _PLACES}})
    except CheckError as error:
        raise _error(falsifier, str(error), "mend the metric", index) from error


def _reading(falsifier: Falsifier, index: int, entry: Any, metric: Metric) -> Reading:
    reading = Reading(metric.name, entry.get("pointer"), entry.get("file"), entry.get("sha256_of"))
    for key in _PLACES:
        _check_text(falsifier, index, key, entry.get(key))
    if metric.name == EXIT_CODE:
        if metric.kind != "count" or any(key in entry for key in _PLACES):
            raise _error(
                falsifier, "exit_code is how the command ended: a count", "write {name: exit_code}", index
            )
        return reading
    if reading.sha256_of is not None:
        if metric.kind != "text" or reading.pointer is not None or reading.file is not None:
            raise _error(
                falsifier,
                "sha256_of gives a digest, a text, and is read from nowhere else",
                "write {name: …, sha256_of: …} alone",
                index,
            )
    elif reading.pointer is None:
        raise _error(
            falsifier,
            f"metric {metric.name} does not say where it is read",
            "add pointer: /place/in/JSON (and file:, if it is not what the command prints), or sha256_of:",
            index,
        )
    return reading


def _check_text(falsifier: Falsifier, index: int, key: str, text: str | None) -> None:
    if text is None:
        return
    try:
        if key == "pointer":
            steps(text)
            return
        first = holes(text)[:1]
    except (HoleError, PointerError) as error:
        raise _error(falsifier, str(error), "mend it", index, key) from error
    starts = bool(first) and text.startswith(f"{{{first[0]}}}")
    roles = {role for given in falsifier.subjects.values() for role in given}
    if not starts or first[0] not in ({"scratch"} | (roles if key == "sha256_of" else set())):
        where = "{scratch}" + (", or in a role" if key == "sha256_of" else "")
        raise _error(
            falsifier,
            f"{key} {text!r} does not lie in {where}",
            "let the command write below {scratch}, an empty folder of each run",
            index,
            key,
        )


def _error(falsifier: Falsifier, what: str, remedy: str, *place: str | int) -> BindingError:
    return BindingError(what, where=falsifier.value_where("metrics", *place), remedy=remedy)
