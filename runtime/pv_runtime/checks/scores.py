"""The share that a count of passes is: three of four are 0.75."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pv.check import Metric, Run, check
from pv_runtime.evaluation.estimate import estimate

__all__ = ["counted_shares"]

Count = Sequence["tuple[int, int]"]
Score = Callable[[Count], float]


def _score(counts: Count) -> float:
    return float(estimate(counts, 1).rate)


@check(
    metrics=[
        Metric("cases", unit="1", kind="count"),
        Metric("off", unit="1", low=0.0),
    ]
)
def counted_shares(run: Run, *, cases: Sequence[Sequence[float]]) -> None:
    """Score so many passes of so many problems.

    Each of `cases` is passes, problems and the share; `off` is its distance from the score.
    """
    score: Score = run.role("score", _score)
    for passes, problems, share in cases:
        counts = [(1, int(number < passes)) for number in range(int(problems))]
        run.record("off", abs(score(counts) - share), label=f"{passes:g} of {problems:g}")
    run.record("cases", len(cases))


@counted_shares.counter_example("of_those_that_failed", of="score")
def of_those_that_failed(score: Score) -> Score:
    """Take passes by failures."""
    return lambda counts: score(counts) / max(1.0 - score(counts), 1e-9)


@counted_shares.counter_example("in_steps_of_a_tenth", of="score")
def in_steps_of_a_tenth(score: Score) -> Score:
    """Round the share to a tenth."""
    return lambda counts: round(score(counts), 1)


@counted_shares.counter_example("one_pass_more", of="score")
def one_pass_more(score: Score) -> Score:
    """Count one that was skipped as a pass."""
    return lambda counts: score([(1, 1), *counts[:-1]])
