from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.tied import tied_head
from pv_runtime.formats import open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
SHIPPED = Path(__file__).parents[3] / "models" / "tiny-qwen2"
WITH: dict[str, Any] = {"lengths": [1, 9]}


def failing(run: Series) -> set[str]:
    lines = {
        "tied": run["tied"] == [1],
        "shape": sum(run["wrong_shape"]) == 0,
        "bits": sum(run["differing_logits"]) == 0,
        "finite": sum(run["not_finite"]) == 0,
        "count": run["extra_parameters"] == [0],
        "shared": run["shared_memory"] == [1],
    }
    return {name for name, line in lines.items() if not line}


def test_the_undamaged_one_fails_nothing(measure: Measure) -> None:
    assert failing(measure(tied_head, {"model": open_checkpoint(SHIPPED)}, **WITH)) == set()


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        ("head_left_random", {"bits", "count", "shared"}),
        ("head_is_a_copy", {"count", "shared"}),
        ("head_of_one_row_less", {"shape", "bits"}),
        ("head_rounded_to_half", {"bits", "count", "shared"}),
        ("rows_one_off", {"bits", "count", "shared"}),
        ("nan_in_one_weight", {"bits", "finite"}),
    ],
)
def test_each_defect_is_seen_by_the_lines_that_can(measure: Measure, name: str, seen_by: set[str]) -> None:
    assert failing(measure(tied_head, {"model": open_checkpoint(SHIPPED)}, name, **WITH)) == seen_by


def test_every_counter_example_is_tried_above() -> None:
    marks = test_each_defect_is_seen_by_the_lines_that_can.pytestmark  # type: ignore[attr-defined]
    assert {name for name, _ in marks[0].args[1]} == set(tied_head.counter_examples)
