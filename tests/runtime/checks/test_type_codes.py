from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.type_codes import type_codes
from pv_runtime.formats import open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]


def failing(run: Series) -> set[str]:
    """The lines of FALSIFY-LAYOUT-007 that fail."""
    lines = {
        "unknown": len(run["unknown_accepted"]) == 260 and sum(run["unknown_accepted"]) == 0,
        "enough": run["accepted"][0] >= 25 and run["decoded"][0] >= 20 and run["missing_types"] == [0],
        "named": sum(run.get("misnamed", [])) == 0 and sum(run.get("wrong_size", [])) == 0,
        "values": sum(run.get("differing_elements", [])) == 0,
    }
    return {name for name, line in lines.items() if not line}


def test_every_number_is_known_or_refused(measure: Measure, model_folder: Path) -> None:
    assert failing(measure(type_codes, {"model": open_checkpoint(model_folder)})) == set()


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        ("catch_all", {"unknown"}),
        ("one_for_another", {"named"}),
        ("bytes_in_another_order", {"values"}),
        ("knows_nothing", {"enough"}),
    ],
)
def test_each_defect_is_seen_by_the_lines_that_can(
    measure: Measure, model_folder: Path, name: str, seen_by: set[str]
) -> None:
    found = failing(measure(type_codes, {"model": open_checkpoint(model_folder)}, name))
    assert seen_by <= found
    assert len(found) < 4


def test_every_counter_example_is_tried_above() -> None:
    marks = test_each_defect_is_seen_by_the_lines_that_can.pytestmark  # type: ignore[attr-defined]
    assert {name for name, _ in marks[0].args[1]} == set(type_codes.counter_examples)
