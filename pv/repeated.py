"""Samples that stand twice: a count that is met by recording one thing again shows less than it says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pv.expression import Measurements, measurements_from_json

__all__ = ["repeated", "repeated_in"]


def repeated(rule: Sequence[str], measurements: Measurements) -> Iterator[str]:
    """Yield a sentence for each series that `rule` counts and in which a label stands more than once.

    It is no fault by itself: a tensor may be measured at several seeds. A reader should see it.
    """
    text = " ".join(rule).replace(" ", "")
    for name, series in measurements.items():
        if not series.labels or f"count({name})" not in text:
            continue
        times = Counter(label for label in series.labels if label is not None)
        often = [label for label, count in times.items() if count > 1]
        if often:
            yield (
                f"{name} is counted, and {len(often)} of its {len(times)} labels stand more than once:"
                f" {', '.join(often[:3])}{', ...' if len(often) > 3 else ''}"
            )


def repeated_in(predicate: Mapping[str, Any]) -> Iterator[str]:
    """Yield what :func:`repeated` says of the rule and the measurements of a record."""
    return repeated(predicate["rule"]["lines"], measurements_from_json(predicate["measurements"]))
