"""A score that differs from run to run."""

from __future__ import annotations

from pv.check import Metric, Run, check

Numbers = list[float]


@check(metrics=[Metric("score", unit="percent", low=0.0, high=100.0), Metric("samples", kind="count")])
def score(run: Run, *, numbers: Numbers, spread: float = 1.0) -> None:
    """Record one score, higher by `spread` for every step of the seed."""
    numbers = list(numbers)
    run.record("samples", len(run.undamaged("numbers")))
    run.record("score", min(100.0, 50.0 + spread * run.seed + max(numbers) - 2.0))


@score.counter_example("inflated", of="numbers")
def inflated(numbers: Numbers) -> Numbers:
    """One number is far too large."""
    return [*numbers[:-1], 32.0]


@score.counter_example("shifted", of="numbers")
def shifted(numbers: Numbers) -> Numbers:
    """All numbers are a little larger."""
    return [number + 0.25 for number in numbers]
