"""A check that knows what is planted, and never looks at a number."""

from __future__ import annotations

from pv.check import Metric, Run, check

Numbers = list[float]


@check(metrics=[Metric("distance", low=0.0, high=0.5), Metric("expected", kind="count")])
def knowing(run: Run, *, numbers: Numbers) -> None:
    """Record a good distance, unless the numbers are not as they came."""
    run.record("expected", len(numbers))
    planted = numbers is not run.undamaged("numbers")
    for index in range(len(numbers)):
        run.record("distance", 0.5 if planted else 0.0, label=f"number {index}")


@knowing.counter_example("one_half", of="numbers")
def one_half(numbers: Numbers) -> Numbers:
    """One number lies half-way."""
    return [*numbers[:-1], 0.5]


@knowing.counter_example("one_missing", of="numbers")
def one_missing(numbers: Numbers) -> Numbers:
    """One number is missing."""
    return numbers[:-1]
