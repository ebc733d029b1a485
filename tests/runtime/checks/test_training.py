from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.training import training
from pv_runtime.formats import open_checkpoint
from pv_runtime.formats.file_bytes import open_bytes

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
MODELS = Path(__file__).parents[3] / "models"
STEPS = 5


def trained(measure: Measure, example: str | None = None) -> set[str]:
    subjects = {"model": open_checkpoint(MODELS / "tiny-qwen2"), "text": open_bytes(MODELS / "heldout.txt")}
    run = measure(training, subjects, example, steps=STEPS)
    lines = {
        "a line a step": run["lines"] == run["steps"] == [STEPS],
        "fields": run["missing_fields"] == [0] * STEPS,
        "rate": max(run["rate_error"]) <= 1e-9,
        "files": run["missing_files"] == run["missing_facts"] == [0],
        "moments": run["moments"][0] == 2 * run["parameters"][0],
        "falls": run["last_validation"][0] < run["first_validation"][0] - 1e-3,
        "twin": max(run["loss_of_twin"]) <= 1e-6,
        "decoder": run["loss_of_decoder"][0] <= 1e-4,
        "times": min(run["tokens_per_second"]) > 0 and max(run["tokens_error"]) <= 1e-9,
        "finite": sum(run["not_finite"]) == 0,
        "distinct": run["distinct_losses"] == [STEPS],
        "text": run["data"] == ["text"],
    }
    return {name for name, line in lines.items() if not line}


def test_the_shipped_model_learns_and_says_what_it_did(measure: Measure) -> None:
    assert trained(measure) == set()


@pytest.mark.service  # each is two trainings of the shipped model
@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        ("losses_by_a_script", {"decoder"}),
        ("placeholder", {"decoder", "distinct", "falls"}),
        ("no_norm_of_gradients", {"fields"}),
        ("seconds_for_milliseconds", {"times"}),
        ("no_step_is_made", {"falls", "moments"}),
        ("steps_uphill", {"falls"}),
        ("order_by_the_clock", {"twin", "decoder"}),
        ("targets_not_moved", {"decoder"}),
        ("rate_does_not_fall", {"rate"}),
        ("checkpoint_without_moments", {"moments"}),
        ("synthetic_in_place_of_text", {"falls", "decoder"}),
    ],
)
def test_each_defect_is_seen_by_the_lines_that_can(measure: Measure, name: str, seen_by: set[str]) -> None:
    assert seen_by <= trained(measure, name)


def test_every_counter_example_is_tried_above() -> None:
    marks = test_each_defect_is_seen_by_the_lines_that_can.pytestmark  # type: ignore[attr-defined]
    tried = next(mark for mark in marks if mark.name == "parametrize")
    assert {name for name, _ in tried.args[1]} == set(training.counter_examples)
