from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.sub_block import SUB_BLOCK, sub_block_stages, unfilled_stages
from pv_runtime.formats import open_checkpoint
from pv_runtime.stages import LAYER_STAGES

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
SHIPPED = Path(__file__).parents[3] / "models" / "tiny-qwen2"


def test_the_stages_of_a_feed_forward_part_are_in_the_order_of_computation() -> None:
    assert list(SUB_BLOCK) == [stage for stage in LAYER_STAGES if stage.startswith("ffn_")]


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        (None, set()),
        ("gate_not_shown", {"values", "lines", "sub-block"}),
        ("last_token_counted_only", {"values", "figures"}),
        ("output_scaled_by_looking", {"figures"}),
        ("six_lines_of_a_layer", {"lines", "sub-block"}),
        ("one_spelling_only", {"names"}),
    ],
)
def test_each_defect_is_seen_by_the_lines_that_can(
    measure: Measure, name: str | None, seen_by: set[str]
) -> None:
    run = measure(sub_block_stages, {"model": open_checkpoint(SHIPPED)}, name, prompt_tokens=3)
    lines = {
        "values": sum(run["values_off"]) == 0,
        "figures": sum(run["figures_changed"]) == 0,
        "lines": set(run["lines_of_a_layer"]) == {15},
        "sub-block": set(run["sub_block_lines"]) == {6},
        "names": sum(run["misnamed"]) == 0,
    }
    assert {line for line, holds in lines.items() if not holds} == seen_by


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        (None, set()),
        ("zeros_are_values", {"zeros_passed"}),
        ("absence_unsaid", {"absence_passed"}),
        ("always_incomplete", {"healthy_called_missing"}),
    ],
)
def test_what_was_not_filled_does_not_pass(measure: Measure, name: str | None, seen_by: set[str]) -> None:
    run = measure(unfilled_stages, {"model": open_checkpoint(SHIPPED)}, name, prompt_tokens=3)
    assert run.pop("stages") == [6]
    assert {metric for metric, values in run.items() if sum(values)} == seen_by
