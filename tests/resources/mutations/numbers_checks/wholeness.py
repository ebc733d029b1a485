"""Are all numbers nearly whole?"""

from __future__ import annotations

from pv.check import Metric, Run, check

from .distance import distance

Numbers = list[float]


@check(metrics=[Metric("distance", low=0.0, high=0.5), Metric("expected", kind="count")])
def wholeness(run: Run, *, numbers: Numbers, copies: int = 1) -> None:
    """Record the distance of every number."""
    run.record("expected", len(run.undamaged("numbers")) * copies)
    for index, number in enumerate(run.progress(numbers)):
        for copy in range(copies):
            run.record("distance", distance(number), label=f"number {index}.{copy}")


@wholeness.counter_example("one_half", of="numbers")
def one_half(numbers: Numbers) -> Numbers:
    """One number lies half-way."""
    return [*numbers[:-1], 0.5]


@wholeness.counter_example("one_missing", of="numbers")
def one_missing(numbers: Numbers) -> Numbers:
    """One number is missing."""
    return numbers[:-1]


@check(metrics=[Metric("distance", low=0.0, high=0.5), Metric("expected", kind="count")])
def strictness(run: Run, *, numbers: Numbers, copies: int = 1) -> None:
    """Record the distance of the first number alone."""
    run.record("expected", copies)
    run.record("distance", distance(numbers[0]))
