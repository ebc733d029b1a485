from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.whole_diff import whole_diff
from pv_runtime.formats import open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]


def failing(run: Series) -> set[str]:
    """The lines of FALSIFY-HANDLING-001 that fail, but for the count of the shipped model's tensors."""
    lines = {
        "counts": run["compared"] == run["expected_tensors"] == run["differing"],
        "listed": run["listed"] == run["expected_tensors"],
        "sides": [run["only_in_a"], run["only_in_b"]] == [[1], [1]],
        "code": run["exit_code"] == [1],
    }
    return {name for name, line in lines.items() if not line}


def test_the_program_reports_on_all(measure: Measure, model_folder: Path) -> None:
    run = measure(whole_diff, {"model": open_checkpoint(model_folder)})
    assert failing(run) == set()
    assert run["expected_tensors"] == [26]


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        ("the_first_ten", {"counts", "listed"}),
        ("the_ten_worst", {"listed"}),
        ("one_side_ignored", {"sides"}),
        ("always_ends_well", {"code"}),
    ],
)
def test_each_defect_is_seen_by_the_lines_that_can(
    measure: Measure, model_folder: Path, name: str, seen_by: set[str]
) -> None:
    assert failing(measure(whole_diff, {"model": open_checkpoint(model_folder)}, name)) == seen_by


def test_every_counter_example_is_tried_above() -> None:
    marks = test_each_defect_is_seen_by_the_lines_that_can.pytestmark  # type: ignore[attr-defined]
    assert {name for name, _ in marks[0].args[1]} == set(whole_diff.counter_examples)
