"""How often mere noise is called a change, and how often a step is found where it is; beside Apache Otava.

Printed for each method and each kind of noise: the share of 300 series of noise that have a change point, by
their length; and the share of 100 series with a step in their middle of which it is found within one point.
Otava is measured where it is installed (``pip install apache-otava``, 0.8.0 or newer), at its level and ours.

    python -m benchmarks.change_points
"""

from __future__ import annotations

import functools
import importlib
import random
from collections.abc import Callable
from typing import Any

from pv.change_points import LEVEL, change_points

NOISE = 300
STEPS = 100
LENGTHS = (10, 20, 40)
CASES = ((10, 5.0), (20, 2.0), (20, 5.0), (40, 2.0), (40, 5.0))
"""Length, and height of the step in standard deviations of the noise."""
KINDS: dict[str, Callable[[random.Random], float]] = {
    "normal": lambda chance: chance.gauss(0.0, 1.0),
    "exponential": lambda chance: chance.expovariate(1.0),
}
Method = Callable[[list[float]], list[int]]


def methods() -> dict[str, Method]:
    """Return what there is to compare."""
    found: dict[str, Method] = {
        f"pv, level {LEVEL}": lambda values: [change.index for change in change_points(values)]
    }
    try:
        otava = importlib.import_module("otava.analysis")
    except ImportError:
        print("apache-otava is not installed: only our own is measured")
        return found
    for level in (0.001, 0.01):
        found[f"Otava, level {level}"] = functools.partial(_otava, otava, level)
    return found


def _otava(analysis: Any, level: float, values: list[float]) -> list[int]:
    return [change.index for change in analysis.compute_change_points(values, max_pvalue=level)[0]]


def series(kind: str, length: int, step: float, seed: int) -> list[float]:
    """Return noise with a step in the middle."""
    chance = random.Random(seed)  # noqa: S311 -- noise, not secrets
    return [KINDS[kind](chance) + (step if index >= length // 2 else 0.0) for index in range(length)]


def main() -> None:
    """Measure and print."""
    for name, method in methods().items():
        for kind in KINDS:
            false = [
                sum(bool(method(series(kind, length, 0.0, seed))) for seed in range(NOISE)) / NOISE
                for length in LENGTHS
            ]
            hit = [
                sum(
                    any(abs(index - length // 2) <= 1 for index in method(series(kind, length, step, seed)))
                    for seed in range(STEPS)
                )
                / STEPS
                for length, step in CASES
            ]
            noise = ", ".join(f"{length}: {share:.1%}" for length, share in zip(LENGTHS, false, strict=True))
            found = ", ".join(
                f"{length}/{step:g}: {share:.0%}" for (length, step), share in zip(CASES, hit, strict=True)
            )
            print(f"{name}, {kind} noise: called a change {noise}; steps found {found}")


if __name__ == "__main__":
    main()
