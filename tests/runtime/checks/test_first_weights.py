from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.first_weights import fresh_start, same_bytes
from pv_runtime.formats import open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
SHIPPED = Path(__file__).parents[3] / "models" / "tiny-qwen2"


def begun(measure: Measure, example: str | None = None) -> set[str]:
    run = measure(fresh_start, {"tokenizer": open_checkpoint(SHIPPED)}, example)
    lines = {
        "tensors": run["tensors"] == run["expected_tensors"] == [26, 27, 26],
        "values": len(run["differing_values"]) == 79 and sum(run["differing_values"]) == 0,
        "moments": run["moments"] == [0, 0, 0],
        "step": run["first_step"] == [0, 0, 0] and run["first_position"] == [0, 0, 0],
        "updates": run["differing_updates"] == [0] * 26,
    }
    return {name for name, line in lines.items() if not line}


def test_a_run_begins_with_its_init_and_nothing_else(measure: Measure) -> None:
    assert begun(measure) == set()


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        ("weights_drawn_at_random", {"values"}),
        ("one_layer_random", {"values"}),
        ("one_value_rounded", {"values"}),
        ("head_untied", {"tensors", "updates"}),
        ("head_tied_that_is_not", {"values"}),
        ("moments_carried_over", {"moments", "updates"}),
        ("step_carried_over", {"step", "updates"}),
    ],
)
def test_each_defect_is_seen_by_the_lines_that_can(measure: Measure, name: str, seen_by: set[str]) -> None:
    assert begun(measure, name) == seen_by


def test_every_counter_example_is_tried_above() -> None:
    marks = test_each_defect_is_seen_by_the_lines_that_can.pytestmark  # type: ignore[attr-defined]
    assert {name for name, _ in marks[0].args[1]} == set(fresh_start.counter_examples)


@pytest.mark.parametrize(
    ("name", "differing", "seeded"),
    [
        (None, 0, True),
        ("drawn_by_the_clock", 4, True),
        ("seed_not_used", 0, False),
        ("number_of_the_run_in_it", 3, True),
    ],
)
def test_no_steps_twice_are_the_same_bytes(
    measure: Measure, name: str | None, differing: int, seeded: bool
) -> None:
    run = measure(same_bytes, {"tokenizer": open_checkpoint(SHIPPED)}, name)
    assert run["pairs"] == [3]
    assert sum(run["differing_files"]) == differing
    assert (run["values_of_another_seed"][0] > 60_000) == seeded
