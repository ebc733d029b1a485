from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pv_runtime.checks.shapes import flow

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
WITH: dict[str, Any] = {
    "architecture": {
        "family": "qwen2",
        "hidden_size": 64,
        "intermediate_size": 96,
        "layers": 3,
        "heads": 4,
        "kv_heads": 2,
        "head_dim": 16,
        "vocab_size": 256,
        "max_positions": 64,
        "rope_theta": 1e6,
        "rms_norm_eps": 1e-6,
        "qkv_bias": True,
        "tied": False,
    },
    "tokens": [1, 5],
}


def failing(run: Series) -> set[str]:
    lines = {
        "parameters": run["parameters"] == [125760],
        "tensors": run["tensors"] == [39],
        "operations": max(run["operations_off"]) == 0,
        "blocks": min(run["block_shape_kept"]) == 1,
        "hidden": set(run["hidden_shape"]) == {"[T, 64]"},
        "logits": set(run["logits_shape"]) == {"[T, 256]"},
        "stages": set(run["stages"]) == {18},
    }
    return {name for name, line in lines.items() if not line}


def test_the_undamaged_one_fails_nothing(measure: Measure) -> None:
    assert failing(measure(flow, {}, **WITH)) == set()


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        ("one_layer_less", {"parameters", "tensors"}),
        ("head_tied", {"parameters", "tensors"}),
        ("no_bias", {"parameters", "tensors"}),
        ("a_key_head_for_each_query_head", {"parameters"}),
        ("vocabulary_of_another_size", {"parameters", "logits"}),
        ("computes_twice", {"operations"}),
        ("keeps_the_last_token_only", {"blocks", "hidden", "operations", "logits"}),
    ],
)
def test_each_defect_is_seen_by_the_lines_that_can(measure: Measure, name: str, seen_by: set[str]) -> None:
    assert failing(measure(flow, {}, name, **WITH)) == seen_by


def test_every_counter_example_is_tried_above() -> None:
    marks = test_each_defect_is_seen_by_the_lines_that_can.pytestmark  # type: ignore[attr-defined]
    assert {name for name, _ in marks[0].args[1]} == set(flow.counter_examples)
