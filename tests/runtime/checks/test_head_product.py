from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.head_product import head_product
from pv_runtime.formats import open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]


def failing(run: Series) -> set[str]:
    """The lines of FALSIFY-HANDLING-004 that fail."""
    lines = {
        "cosine": min(run["cosine"]) >= 0.999999,
        "error": max(run["worst_error"]) <= 1e-4,
        "top": all(same == 1 for same in run["same_top"]),
    }
    return {name for name, line in lines.items() if not line}


def test_logits_are_the_heads(measure: Measure, model_folder: Path) -> None:
    run = measure(head_product, {"model": open_checkpoint(model_folder)}, tokens=6)
    assert failing(run) == set()
    assert run["expected_products"] == [12] == [len(run["cosine"])]


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        ("read_transposed", {"cosine", "error", "top"}),
        ("rows_one_off", {"cosine", "error", "top"}),
        ("one_row_negated", {"error"}),
        ("rounded_to_half", {"error"}),
    ],
)
def test_each_defect_is_seen_by_the_lines_that_can(
    measure: Measure, model_folder: Path, name: str, seen_by: set[str]
) -> None:
    run = measure(head_product, {"model": open_checkpoint(model_folder)}, name, tokens=6)
    assert seen_by <= failing(run)


def test_a_transposed_head_has_nothing_to_do_with_the_logits(measure: Measure, model_folder: Path) -> None:
    run = measure(head_product, {"model": open_checkpoint(model_folder)}, "read_transposed", tokens=6)
    assert max(map(abs, run["cosine"])) < 0.5


def test_every_counter_example_is_tried_above() -> None:
    marks = test_each_defect_is_seen_by_the_lines_that_can.pytestmark  # type: ignore[attr-defined]
    assert {name for name, _ in marks[0].args[1]} == set(head_product.counter_examples)
