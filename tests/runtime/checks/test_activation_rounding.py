from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pv_runtime.checks.activation_rounding import activation_rounding

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
WITH: dict[str, Any] = {"width": 512, "steps": 5, "scales": [0.001, 0.1, 10.0]}


def failing(run: Series) -> set[str]:
    lines = {
        "bits": sum(run["equal_bits"]) == 0,
        "some": min(run["one_step"]) > 0,
        "little": max(run["one_step"]) <= 0.02,
        "growth": 0 < run["growth"][0] <= 6,
        "scale": run["scale_factor"][0] <= 1.01,
        "saturated": run["compression"][0] <= 0.05,
    }
    return {name for name, line in lines.items() if not line}


def test_the_undamaged_one_fails_nothing(measure: Measure) -> None:
    assert failing(measure(activation_rounding, {}, **WITH)) == set()


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        ("four_bits", {"little"}),
        ("rounds_nothing", {"bits", "some", "growth"}),
        ("steps_of_a_fixed_size", {"scale"}),
        ("one_block_scaled_wrong", {"little"}),
    ],
)
def test_each_defect_is_seen_by_the_lines_that_can(measure: Measure, name: str, seen_by: set[str]) -> None:
    assert failing(measure(activation_rounding, {}, name, **WITH)) == seen_by


def test_every_counter_example_is_tried_above() -> None:
    marks = test_each_defect_is_seen_by_the_lines_that_can.pytestmark  # type: ignore[attr-defined]
    assert {name for name, _ in marks[0].args[1]} == set(activation_rounding.counter_examples)
