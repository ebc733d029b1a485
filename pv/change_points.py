"""Where a series of figures became another one: E-divisive, tested against the noise of the series itself.

The method of Matteson and James (A nonparametric approach for multiple change point analysis of
multivariate data, JASA 109, 2014), which MongoDB (Daly et al., ICPE 2020) and Apache Otava, formerly Hunter
(Fleming et al., ICPE 2023), use on benchmarks: a segment is cut where the energy distance between its two
sides is largest, if that distance is significant; then each side is looked at likewise.

Otava tests a cut with Student's t, because permutations of long series take long. Series of evidence are
short; there the t-test of a cut that was chosen as the best of many says "significant" too often, and not
all of our noise is normal. So we permute, as Matteson and James do: what a shuffled series has for a largest
distance comes of noise alone. A series that is noise is given up early (Besag and Clifford, Sequential Monte
Carlo p-values, Biometrika 78, 1991).
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import operator
import random
from collections.abc import Sequence

__all__ = ["LEVEL", "ChangePoint", "change_points"]

LEVEL = 0.01
"""Of significance: at most so many series of mere noise, per series, have a change point."""
PERMUTATIONS = 999
MINIMUM = 2
"""Points on each side of a cut: one alone is an outlier, not a change."""
_TIE = 1e-9


@dataclasses.dataclass(frozen=True)
class ChangePoint:
    """The first point of a new segment, and the means of the segments before and after."""

    index: int
    before: float
    after: float
    p: float
    """How often noise alone gives such a cut or a larger one: see :data:`LEVEL`."""


def change_points(values: Sequence[float], *, level: float = LEVEL, seed: int = 0) -> list[ChangePoint]:
    """Find where `values`, oldest first and of one class of host, changed; deterministic for one `seed`.

    Scaling or shifting the values finds the same points. With `level` 0.01, fewer than ten points have none.

    Raises
    ------
    ValueError
        A value is not finite, or `level` is no probability that 999 permutations can tell.
    """
    if not all(map(math.isfinite, values)):
        raise ValueError("a value is not finite")
    if not 1 / (PERMUTATIONS + 1) <= level < 1:
        raise ValueError(f"level {level} is not between {1 / (PERMUTATIONS + 1)} and 1")
    cuts: dict[int, float] = {}
    waiting = [(0, len(values))]
    while waiting:
        start, stop = waiting.pop()
        found = _cut(values[start:stop], level, random.Random(seed))  # noqa: S311 -- shuffles, not secrets
        if found is not None:
            place, p = found
            cuts[start + place] = p
            waiting += [(start, start + place), (start + place, stop)]
    ends = [0, *sorted(cuts), len(values)]
    means = [_mean(values[a:b]) for a, b in itertools.pairwise(ends) if b > a]
    return [
        ChangePoint(index, means[number], means[number + 1], cuts[index])
        for number, index in enumerate(sorted(cuts))
    ]


def _mean(values: Sequence[float]) -> float:
    half = math.fsum(value / (2 * len(values)) for value in values)  # the sum itself may be too large
    return min(max(values), max(min(values), 2 * half))


def _cut(values: Sequence[float], level: float, shuffler: random.Random) -> tuple[int, float] | None:
    """Return where to cut a segment, and how often noise is cut so; None where it is noise."""
    count = len(values)
    if count < 2 * MINIMUM:
        return None
    low, high = min(values), max(values)
    if low == high:
        return None
    half = 1.0 if math.isfinite(high - low) else 0.5
    scaled = [(value * half - low * half) / (high * half - low * half) for value in values]
    distances = [[abs(one - other) for other in scaled] for one in scaled]
    sums = [math.fsum(row) for row in distances]
    order = list(range(count))
    place, largest = _best(distances, sums, order)
    allowed = int(level * (PERMUTATIONS + 1)) - 1
    as_large = 0
    for _ in range(PERMUTATIONS):
        shuffler.shuffle(order)
        as_large += _best(distances, sums, order)[1] >= largest * (1 - _TIE)
        if as_large > allowed:
            return None
    return place, (as_large + 1) / (PERMUTATIONS + 1)


def _best(
    distances: Sequence[Sequence[float]], sums: Sequence[float], order: Sequence[int]
) -> tuple[int, float]:
    """Return the cut of the largest energy distance, and that distance; of equal ones, the first.

    With `n` and `m` points on the two sides: n m / (n + m) times twice the mean distance across, less the
    mean distances within. The sum within the left side grows point by point; the others follow from it.
    """
    count = len(order)
    total = math.fsum(sums) / 2
    inside = across = 0.0
    best, largest = 0, -math.inf
    for size in range(1, count - MINIMUM + 1):
        point = order[size - 1]
        if size > 1:
            gather = operator.itemgetter(*order[: size - 1])
            row = distances[point]
            added = sum(gather(row)) if size > 2 else row[order[0]]
            inside += added
            across += sums[point] - 2 * added
        else:
            across = sums[point]
        if size < MINIMUM:
            continue
        left, right = size, count - size
        outside = total - inside - across
        energy = (
            2 * across / (left * right)
            - 2 * inside / (left * (left - 1))
            - 2 * outside / (right * (right - 1))
        ) * (left * right / count)
        if energy > largest * (1 + _TIE) if largest > 0 else energy > largest:
            best, largest = size, energy
    return best, largest
