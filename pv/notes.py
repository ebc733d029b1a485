"""What a reader should be told beside a verdict: samples that stand twice, and the witness of a violation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pv.expression import Measurements, measurements_from_json
from pv.properties.metrics import METRICS
from pv.repeated import repeated

__all__ = ["notes_in", "notes_of"]


def notes_of(rule: Sequence[str], measurements: Measurements) -> Iterator[str]:
    """Yield a sentence for each thing that the verdict of `rule` does not say by itself."""
    yield from repeated(rule, measurements)
    if all(metric.name in measurements for metric in METRICS):
        for value in measurements["witness"].values:
            if value != "none":
                yield f"the smallest violation: {value}"


def notes_in(predicate: Mapping[str, Any]) -> Iterator[str]:
    """Yield what :func:`notes_of` says of the rule and the measurements of a record."""
    return notes_of(predicate["rule"]["lines"], measurements_from_json(predicate["measurements"]))
