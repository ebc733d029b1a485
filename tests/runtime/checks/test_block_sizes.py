from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pv_runtime.checks.block_sizes import block_sizes

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
WITH: dict[str, Any] = {"order": ["Q4_K", "Q6_K", "F16", "F32"], "bits": [4.5, 6.5625, 16, 32], "rounds": 50}


def failing(run: Series) -> set[str]:
    lines = {
        "order": sum(run["out_of_order"]) == 0,
        "bits": run["off_published"] == [0, 0, 0, 0],
        "shapes": run["shapes"] == [50],
    }
    return {name for name, line in lines.items() if not line}


def test_the_undamaged_one_fails_nothing(measure: Measure) -> None:
    assert failing(measure(block_sizes, {}, **WITH)) == set()


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        ("blocks_of_the_larger", {"bits", "order"}),
        ("scales_forgotten", {"bits"}),
        ("rows_padded", {"bits"}),
    ],
)
def test_each_defect_is_seen_by_the_lines_that_can(measure: Measure, name: str, seen_by: set[str]) -> None:
    assert failing(measure(block_sizes, {}, name, **WITH)) == seen_by


def test_every_counter_example_is_tried_above() -> None:
    marks = test_each_defect_is_seen_by_the_lines_that_can.pytestmark  # type: ignore[attr-defined]
    assert {name for name, _ in marks[0].args[1]} == set(block_sizes.counter_examples)
