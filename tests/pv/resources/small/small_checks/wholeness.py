"""Are all numbers nearly whole?"""

from __future__ import annotations

from pv.check import Metric, Run, check

from .distance import distance

Numbers = list[float]


@check(
    metrics=[
        Metric("distance", low=0.0, high=0.5),
        Metric("expected", kind="count"),
        Metric("spare", kind="count"),
    ]
)
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


@wholeness.counter_example("harmless", of="numbers")
def harmless(numbers: Numbers) -> Numbers:
    """Nothing is damaged at all."""
    return [number + 1.0 for number in numbers]


@wholeness.counter_example("raises", of="numbers")
def raises(numbers: Numbers) -> Numbers:
    """The defect itself breaks."""
    raise RuntimeError(f"cannot damage {len(numbers)} numbers")


@wholeness.counter_example("of_another_role", of="letters")
def of_another_role(letters: Numbers) -> Numbers:
    """Damages a role that never passes."""
    return letters


@wholeness.dose("moved", of="numbers")
def moved(numbers: Numbers, amount: float, place: int) -> Numbers:
    """Move one number by `amount`."""
    index = place % len(numbers)
    return [*numbers[:index], numbers[index] + amount, *numbers[index + 1 :]]
