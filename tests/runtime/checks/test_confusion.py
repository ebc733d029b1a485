from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.confusion import confused_formats
from pv_runtime.formats import open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]


def failing(run: Series) -> set[str]:
    """The lines of FALSIFY-LAYOUT-008 that fail."""
    errors, own = run.get("confused_error", []), run.get("own_error", [])
    lines = {
        "count": [len(errors)] == run["expected_pairs"] != [0],
        "confused": bool(errors) and min(errors) > 0.5,
        "own": bool(own) and max(own) < 0.1,
    }
    return {name for name, line in lines.items() if not line}


def test_formats_are_far_apart(measure: Measure, model_folder: Path) -> None:
    run = measure(confused_formats, {"model": open_checkpoint(model_folder)})
    assert failing(run) == set()
    assert run["expected_pairs"] == [15 * 12]


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        ("formats_not_told_apart", {"confused", "own"}),
        ("hides_what_it_cannot_read", {"own"}),
        ("missing_matrix", {"count"}),
        ("empty_sweep", {"count", "confused", "own"}),
    ],
)
def test_each_defect_is_seen_by_the_lines_that_can(
    measure: Measure, model_folder: Path, name: str, seen_by: set[str]
) -> None:
    assert failing(measure(confused_formats, {"model": open_checkpoint(model_folder)}, name)) == seen_by


def test_every_counter_example_is_tried_above() -> None:
    marks = test_each_defect_is_seen_by_the_lines_that_can.pytestmark  # type: ignore[attr-defined]
    assert {name for name, _ in marks[0].args[1]} == set(confused_formats.counter_examples)
