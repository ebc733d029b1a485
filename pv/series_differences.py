"""In what the measurements of two records differ, and whether that could have turned a verdict."""

from __future__ import annotations

import dataclasses
import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pv.errors import ExpressionError
from pv.expression.parse import parse
from pv.expression.syntax import names

__all__ = ["Kind", "SeriesDifference", "margins_of", "series_differences"]

Kind = Literal["equal", "within", "beyond", "unjudged"]
_ORDERED = {"<", "<=", ">", ">="}
_COUNTS = re.compile(r"\bcount\(\w+\)")
_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


@dataclasses.dataclass(frozen=True)
class SeriesDifference:
    """One metric of two records.

    `kind` is ``equal`` where every sample is; ``within`` where none lies further from its counterpart than
    the first verdict was from turning; ``beyond`` where one does, where a sample is on one side only, or
    where what the rule asks to be equal is not; ``unjudged`` where no rule names the metric.

    `largest` is the greatest distance of two samples, in the unit of the metric, and `label` where it is;
    None where no two numbers differ. `margin` is the least distance of the first verdict from turning.
    """

    metric: str
    kind: Kind
    samples: int
    differing: int
    only_before: int
    only_after: int
    largest: float | None = None
    label: str | None = None
    margin: float | None = None


def series_differences(
    before: Mapping[str, Any], after: Mapping[str, Any], verdict: Mapping[str, Any]
) -> list[SeriesDifference]:
    """Compare two records' measurements (metric → values and labels); `verdict` is that of the first."""
    margins = margins_of(verdict)
    return [
        _difference(name, before.get(name), after.get(name), margins) for name in sorted({*before, *after})
    ]


def margins_of(verdict: Mapping[str, Any]) -> dict[str, float]:
    """Return metric → how far the nearest comparison of its values was from turning; 0 under an equality."""
    found: dict[str, float] = {}
    for line in verdict.get("lines", ()):
        for comparison in line.get("comparisons", ()):
            try:
                # How many samples there are is another question than what they are.
                about = names(parse(_COUNTS.sub("1", comparison["text"])).root)
            except ExpressionError:
                continue
            margin = comparison.get("margin")
            ordered = comparison.get("operator") in _ORDERED and isinstance(margin, int | float)
            for name in about:
                found[name] = min(found.get(name, math.inf), abs(margin) if ordered else 0.0)
    return found


def _difference(
    name: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, margins: Mapping[str, float]
) -> SeriesDifference:
    ours, theirs = _by_label(before), _by_label(after)
    pairs: list[tuple[str | None, Any, Any]] = []
    only_before = only_after = 0
    for label in dict.fromkeys([*ours, *theirs]):
        old, new = ours.get(label, ()), theirs.get(label, ())
        pairs += [(label, *pair) for pair in zip(old, new, strict=False)]
        only_before += max(0, len(old) - len(new))
        only_after += max(0, len(new) - len(old))
    differing = [(label, old, new) for label, old, new in pairs if old != new]
    apart = [(_distance(old, new), label) for label, old, new in differing]
    largest, where = max(apart, key=lambda each: each[0], default=(None, None))
    margin = margins.get(name)
    if not (differing or only_before or only_after):
        kind: Kind = "equal"
    elif margin is None:
        kind = "unjudged"
    elif only_before or only_after or largest is None or not largest < margin:
        kind = "beyond"
    else:
        kind = "within"
    known = largest is not None and math.isfinite(largest)
    return SeriesDifference(
        name,
        kind,
        len(pairs),
        len(differing),
        only_before,
        only_after,
        largest if known else None,
        where,
        margin,
    )


def _by_label(series: Mapping[str, Any] | None) -> dict[str | None, Sequence[Any]]:
    found: dict[str | None, list[Any]] = defaultdict(list)
    if series is not None:
        values = series["values"]
        for value, label in zip(values, series.get("labels") or [None] * len(values), strict=True):
            found[label].append(value)
    return dict(found)


def _distance(old: Any, new: Any) -> float:
    """Return how far apart two samples are; words, and a number beside none, are infinitely far."""
    one, other = (_WORDS.get(each, each) if isinstance(each, str) else each for each in (old, new))
    if isinstance(one, str) or isinstance(other, str):
        return math.inf
    apart = abs(one - other)
    return math.inf if math.isnan(apart) else float(apart)
