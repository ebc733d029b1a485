"""Whether a series rises or falls, and its line of small bars."""

from __future__ import annotations

import dataclasses
import itertools
import math
import statistics
from collections import Counter
from collections.abc import Sequence

__all__ = ["LEVEL", "Trend", "sparkline", "trend_of"]

LEVEL = 0.01
_BARS = "▁▂▃▄▅▆▇█"
_NOTHING = "·"
_MOST_PAIRED = 200
"""Points; of a longer series the last ones."""


@dataclasses.dataclass(frozen=True)
class Trend:
    """``rising``, ``falling`` or ``level``, by how much a run, and how likely noise alone does so."""

    direction: str
    slope: float
    p: float


def trend_of(values: Sequence[float], *, level: float = LEVEL) -> Trend:
    """Test for a monotonic trend: Mann (1945) and Kendall (1975), ties counted; the slope is Theil and Sen's.

    With `level` 0.01, fewer than six values have none.
    """
    values = values[-_MOST_PAIRED:]
    count = len(values)
    pairs = list(itertools.combinations(enumerate(values), 2))
    balance = sum((other > one) - (other < one) for (_, one), (_, other) in pairs)
    ties = Counter(values).values()
    variance = (_weight(count) - sum(map(_weight, ties))) / 18
    if not pairs or variance <= 0:
        return Trend("level", 0.0, 1.0)
    # One less, because the balance moves in steps of two: Kendall's correction for continuity.
    score = max(abs(balance) - 1, 0) / math.sqrt(variance)
    p = math.erfc(score / math.sqrt(2))
    slope = statistics.median(other / (j - i) - one / (j - i) for (i, one), (j, other) in pairs)
    direction = "level" if p > level else "rising" if balance > 0 else "falling"
    return Trend(direction, slope, p)


def _weight(count: int) -> int:
    return count * (count - 1) * (2 * count + 5)


def sparkline(values: Sequence[float | None], *, width: int = 40) -> str:
    """Return a bar a value, the last `width` of them; a dot where there is none.

    The lowest and the highest value span the bars; equal values are all in the middle.
    """
    shown = values[-width:]
    known = [value for value in shown if value is not None and math.isfinite(value)]
    low, high = (min(known), max(known)) if known else (0.0, 0.0)
    half = 1.0 if math.isfinite(high - low) else 0.5

    def bar(value: float | None) -> str:
        if value is None or not math.isfinite(value):
            return _NOTHING
        if low == high:
            return _BARS[3]
        share = (value * half - low * half) / (high * half - low * half)
        return _BARS[round(share * (len(_BARS) - 1))]

    return "".join(map(bar, shown))
