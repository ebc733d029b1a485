"""pass@k: the chance that one of k completions is right, estimated from n of which c are.

The unbiased estimator is 1 - C(n-c, k) / C(n, k) (Chen et al. 2021, arXiv:2107.03374, equation 1): the share
of all choices of k among the n that hold a right one. 1 - (1 - c/n)^k, which looks alike, is too low.
"""

from __future__ import annotations

import dataclasses
import math
import random
import statistics
from collections.abc import Sequence
from fractions import Fraction

__all__ = ["Estimate", "estimate", "pass_at_k"]

RESAMPLES = 2000
"""Drawn for an interval: its ends move by less than a tenth of its width from seed to seed."""


def pass_at_k(n: int, c: int, k: int) -> Fraction:
    """Return the unbiased estimate, exactly.

    Parameters
    ----------
    n
        Completions of the problem.
    c
        Those that are right.
    k
        How many one may try.

    Raises
    ------
    ValueError
        Not 0 <= c <= n, or not 1 <= k <= n: of fewer completions than k nothing is known.
    """
    if not 0 <= c <= n:
        raise ValueError(f"{c} of {n} completions cannot be right")
    if not 1 <= k <= n:
        raise ValueError(f"pass@{k} cannot be estimated from {n} completions")
    return 1 - Fraction(math.comb(n - c, k), math.comb(n, k))


@dataclasses.dataclass(frozen=True)
class Estimate:
    """pass@k over the problems of a benchmark.

    Parameters
    ----------
    k
        As in pass@k.
    rate
        Mean over problems, 0 to 1.
    standard_error
        Of the mean, as the problems scatter; None for a single problem.
    low, high
        Ends of the 95 % bootstrap interval over problems.
    """

    k: int
    rate: float
    standard_error: float | None
    low: float
    high: float


def estimate(counts: Sequence[tuple[int, int]], k: int, *, seed: int = 0) -> Estimate:
    """Estimate pass@k from (n, c) of each problem.

    The interval resamples problems (Efron 1979, percentile method): it says what another choice of problems
    would change, and nothing of another seed for the completions.

    Raises
    ------
    ValueError
        There is no problem, or as `pass_at_k` raises it.
    """
    if not counts:
        raise ValueError("pass@k of no problem is nothing")
    exact = [pass_at_k(n, c, k) for n, c in counts]
    rates = [float(each) for each in exact]
    generator = random.Random(seed)  # noqa: S311 - no secret
    means = sorted(math.fsum(generator.choices(rates, k=len(rates))) / len(rates) for _ in range(RESAMPLES))
    error = statistics.stdev(rates) / math.sqrt(len(rates)) if len(rates) > 1 else None
    return Estimate(
        k=k,
        rate=float(sum(exact, Fraction(0)) / len(exact)),
        standard_error=error,
        low=means[int(0.025 * RESAMPLES)],
        high=means[math.ceil(0.975 * RESAMPLES) - 1],
    )
