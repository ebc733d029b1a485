from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.generation import adversarial_prompts, parsable_completions
from pv_runtime.formats import open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
SHIPPED = Path(__file__).parents[3] / "models" / "tiny-qwen2-7to1"
PROMPTS = [
    "def __init__(self, name):\n    self.",
    "def __repr__(self):\n    return self.",
    "def pop(self):\n    try:\n        ",
    "def reset(self):\n    self.",
]


def rate(run: Series) -> float:
    assert run["prompts"] == [len(PROMPTS)] == [len(run["parses"])]
    return sum(run["parses"]) / len(PROMPTS)


def test_a_model_that_learnt_python_writes_some(measure: Measure) -> None:
    model = open_checkpoint(SHIPPED)
    assert rate(measure(parsable_completions, {"model": model}, prompts=PROMPTS, new_tokens=32)) >= 0.5


@pytest.mark.parametrize("name", list(parsable_completions.counter_examples))
def test_one_that_did_not_writes_none(measure: Measure, name: str) -> None:
    model = open_checkpoint(SHIPPED)
    assert rate(measure(parsable_completions, {"model": model}, name, prompts=PROMPTS, new_tokens=32)) < 0.5


def failing(run: Series) -> set[str]:
    """The lines of FALSIFY-SHIP-024 that fail."""
    assert run["inputs"] == [len(run["crashed"])]
    lines = {
        "refused": run["refused"] == [5],
        "crashed": sum(run["crashed"]) == 0,
        "finite": sum(run["not_finite"]) == 0,
        "shape": sum(run["wrong_shape"]) == 0,
    }
    return {name for name, line in lines.items() if not line}


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        (None, set()),
        ("one_weight_is_nan", {"finite"}),
        ("takes_ids_as_they_come", {"refused", "crashed"}),
        ("wraps_ids_around", {"refused"}),
        ("cuts_the_prompt", {"refused", "shape"}),
    ],
)
def test_no_prompt_breaks_it_and_each_defect_is_seen(
    measure: Measure, name: str | None, seen_by: set[str]
) -> None:
    run = measure(adversarial_prompts, {"model": open_checkpoint(SHIPPED)}, name, random_prompts=10)
    assert failing(run) == seen_by
    assert run["inputs"][0] >= 50
