from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from pv_runtime.checks.from_nothing import time_of_training, two_trainings

Series = dict[str, list[Any]]
Measure = Callable[..., Series]


def settings(steps: int) -> dict[str, dict[str, Any]]:
    small = {"architecture": "small", "length": 16, "batch": 1, "dtype": "float32", "first": 1}
    return {"functional": {**small, "steps": steps, "tokens": 1001}}


def test_a_step_is_timed_and_the_rest_is_counted(measure: Measure) -> None:
    run = measure(time_of_training, {}, settings=settings(4))
    assert (run["device"], run["parameters"], run["planned_steps"]) == (["cpu"], [69520], [63])
    assert run["timed"] == [3] == [len(run["wall_ms"])]
    assert min(run["wall_ms"]) <= run["median_ms"][0] <= max(run["wall_ms"])
    assert run["losses_not_finite"] == [0]
    assert 0 < run["elapsed_over_stated"][0] < 10


def test_waiting_is_seen(measure: Measure) -> None:
    run = measure(time_of_training, {}, "waits_for_something", settings=settings(2))
    assert run["median_ms"][0] >= 700


def test_a_hundredth_is_seen(measure: Measure) -> None:
    run = measure(time_of_training, {}, "a_hundredth_is_written_down", settings=settings(3))
    assert run["elapsed_over_stated"][0] > 50


@pytest.mark.parametrize(
    ("name", "differing", "compared"),
    [(None, 0, 30), ("order_by_the_clock", 20, 30), ("sums_in_another_order", 3, 30), ("ends_early", 0, 10)],
)
def test_two_trainings_are_compared_step_by_step(
    measure: Measure, name: str | None, differing: int, compared: int
) -> None:
    run = measure(two_trainings, {}, name, settings=settings(30))
    assert run["steps"] == [30]
    assert len(run["difference"]) == compared
    assert sum(difference > 1e-6 for difference in run["difference"]) >= differing
    assert (max(run["difference"]) > 1e-6) == (differing > 0)
    assert not any(math.isnan(difference) for difference in run["difference"])
