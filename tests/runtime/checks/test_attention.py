from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pv_runtime.checks.attention import grouped_queries

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
WITH: dict[str, Any] = {"heads": [8, 4, 14], "kv_heads": [8, 2, 2], "head_dim": 16, "tokens": 5}


def failing(run: Series) -> set[str]:
    lines = {
        "first": max(run["first_token_error"]) == 0,
        "second": max(run["second_token_error"]) <= 1e-5,
        "whole": max(run["multi_head_error"]) <= 1e-5,
        "direction": min(run["cosine"]) >= 0.99999999,
        "own": max(run["foreign_weight"]) == 0,
        "cases": run["cases"] == [3],
    }
    return {name for name, line in lines.items() if not line}


def test_the_undamaged_one_fails_nothing(measure: Measure) -> None:
    assert failing(measure(grouped_queries, {}, **WITH)) == set()


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        ("heads_taken_in_turn", {"first", "direction", "whole", "own", "second"}),
        ("values_in_turn", {"first", "direction", "whole", "own", "second"}),
        ("one_head_off", {"first", "direction", "whole", "own", "second"}),
        ("no_scale", {"direction", "whole", "second"}),
        ("sees_the_future", {"direction", "whole"}),
        ("softmax_over_the_wrong_axis", {"direction", "whole", "second"}),
    ],
)
def test_each_defect_is_seen_by_the_lines_that_can(measure: Measure, name: str, seen_by: set[str]) -> None:
    assert failing(measure(grouped_queries, {}, name, **WITH)) == seen_by


def test_every_counter_example_is_tried_above() -> None:
    marks = test_each_defect_is_seen_by_the_lines_that_can.pytestmark  # type: ignore[attr-defined]
    assert {name for name, _ in marks[0].args[1]} == set(grouped_queries.counter_examples)
