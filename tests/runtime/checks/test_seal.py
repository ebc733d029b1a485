from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.seal import apr_seal
from pv_runtime.formats import open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]


def failing(run: Series) -> set[str]:
    """The lines of FALSIFY-APR-002 that fail."""
    lines = {
        "whole": run["whole_matches"] == [1],
        "seen": [sum(run["seen"])] == [len(run["seen"])] == run["expected_flips"],
        "same": run["same_bytes"] == [1],
    }
    return {name for name, line in lines.items() if not line}


def test_every_turned_bit_is_seen(measure: Measure, model_folder: Path) -> None:
    run = measure(apr_seal, {"model": open_checkpoint(model_folder)})
    assert failing(run) == set()
    assert run["expected_flips"] == [26]


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        ("never_looks", {"seen"}),
        ("never_content", {"whole"}),
        ("looks_at_the_first_half", {"seen"}),
        ("another_key", {"same"}),
    ],
)
def test_each_defect_is_seen_by_the_lines_that_can(
    measure: Measure, model_folder: Path, name: str, seen_by: set[str]
) -> None:
    assert failing(measure(apr_seal, {"model": open_checkpoint(model_folder)}, name)) == seen_by


def test_every_counter_example_is_tried_above() -> None:
    marks = test_each_defect_is_seen_by_the_lines_that_can.pytestmark  # type: ignore[attr-defined]
    assert {name for name, _ in marks[0].args[1]} == set(apr_seal.counter_examples)
