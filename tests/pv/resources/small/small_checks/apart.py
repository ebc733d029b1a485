"""Are all numbers nearly whole? Each is measured apart from the others, so that a part can be run alone."""

from __future__ import annotations

from pv.check import Metric, Run, check

from .distance import distance

Numbers = list[float]


@check(
    metrics=[
        Metric("distance", low=0.0, high=0.5),
        Metric("parity", kind="text"),
        Metric("expected", kind="count"),
        Metric("measured", kind="count"),
    ]
)
def apart(run: Run, *, numbers: Numbers) -> None:
    """Record the distance of every number, and whether the whole part is odd."""
    run.record("expected", len(run.undamaged("numbers")))
    measured = 0
    for index in run.progress(range(len(numbers)), label=name):
        run.record("distance", distance(numbers[index]), label=name(index))
        run.record("parity", "odd" if round(numbers[index]) % 2 else "even", label=name(index))
        measured += 1
    run.record("measured", measured)


def name(index: int) -> str:
    """Name a number by its place."""
    return f"number {index}"


@apart.counter_example("one_half", of="numbers")
def one_half(numbers: Numbers) -> Numbers:
    """One number lies half-way."""
    return [*numbers[:-1], 0.5]
