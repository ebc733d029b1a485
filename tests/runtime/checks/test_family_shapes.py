from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pv_runtime.checks.family_shapes import projections, rotary_frequencies, stage_widths

Series = dict[str, list[Any]]
Measure = Callable[..., Series]


def failing(run: Series) -> set[str]:
    lines = {
        "query": set(run["q_proj"]) == {"[896, 896]"},
        "key": set(run["kv_proj"]) == {"[128, 896]"},
        "up": set(run["gate_up_proj"]) == {"[4864, 896]"},
        "down": set(run["down_proj"]) == {"[896, 4864]"},
        "out": run["o_is_q_transposed"] == [1] * 24,
        "heads": (run["head_dim"], run["queries_to_a_key"], run["heads_left"]) == ([64], [7], [0]),
        "tied": run["tied"] == [1],
        "count": (run["tensors"], run["parameters"]) == ([290], [494032768]),
        "closed form": run["parameters_off"] == [0],
    }
    return {name for name, line in lines.items() if not line}


def test_the_smallest_model_has_its_published_shapes(measure: Measure) -> None:
    assert failing(measure(projections, {}, preset="qwen2.5-0.5b")) == set()


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        ("a_key_head_for_each_query_head", {"key", "heads", "count", "closed form"}),
        ("tied_the_other_way", {"tied", "count", "closed form"}),
        ("heads_twice_as_wide", {"key", "heads", "count", "closed form"}),
        ("out_projection_of_the_keys", {"out", "count", "closed form"}),
        ("down_as_wide_as_up", {"down"}),
        ("one_bias_left_out", {"count", "closed form"}),
    ],
)
def test_each_defect_is_seen_by_the_lines_that_can(measure: Measure, name: str, seen_by: set[str]) -> None:
    assert failing(measure(projections, {}, name, preset="qwen2.5-0.5b")) == seen_by


def test_every_counter_example_is_tried_above() -> None:
    marks = test_each_defect_is_seen_by_the_lines_that_can.pytestmark  # type: ignore[attr-defined]
    assert {name for name, _ in marks[0].args[1]} == set(projections.counter_examples)


@pytest.mark.parametrize("name", [None, *stage_widths.counter_examples])
def test_a_width_or_a_layer_that_is_off_shows(measure: Measure, name: str | None) -> None:
    run = measure(stage_widths, {}, name, preset="qwen2.5-0.5b", tokens=2)
    whole = run["stages"] == [3 + 24 * 15]
    assert (whole and sum(run["width_off"]) == 0) is (name is None)


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        (None, set()),
        ("one_frequency_less", {"count"}),
        ("neighbours_turned", {"halves", "falling", "error"}),
        ("base_of_another_family", {"error"}),
        ("slowest_first", {"falling", "error"}),
    ],
)
def test_rotary_frequencies_that_are_off_show(measure: Measure, name: str | None, seen_by: set[str]) -> None:
    run = measure(rotary_frequencies, {}, name, preset="qwen2.5-0.5b")
    lines = {
        "count": run["frequencies"] == [32],
        "halves": run["halves_differ"] == [0],
        "falling": sum(run["not_falling"]) == 0,
        "error": max(run["frequency_error"]) <= 1e-5,
    }
    assert {line for line, holds in lines.items() if not holds} == seen_by
