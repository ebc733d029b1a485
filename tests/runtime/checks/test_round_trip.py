from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.round_trip import format_round_trip
from pv_runtime.formats import open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]


def failing(run: Series) -> set[str]:
    """The lines of FALSIFY-LAYOUT-013 that fail."""
    lines = {
        "count": run["compared"] == run["expected_tensors"] and run["one_sided"] == [0],
        "shapes": sum(run["shape_mismatches"]) == 0,
        "reversed": sum(run["reversed_in_gguf"]) == len(run["reversed_in_gguf"]) == run["matrices"][0],
        "types": sum(run["widened_matrices"]) == 0,
        "bytes": sum(run["differing_bytes"]) == 0,
        "values": sum(run["differing_elements"]) == 0,
    }
    return {name for name, line in lines.items() if not line}


def test_a_model_comes_back_bit_for_bit(measure: Measure, model_folder: Path) -> None:
    run = measure(format_round_trip, {"model": open_checkpoint(model_folder)})
    assert failing(run) == set()
    assert (run["matrices"], run["square"]) == ([15], [4])


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        ("square_transposed", {"bytes", "values"}),
        ("oblong_transposed", {"shapes"}),
        ("oblong_transposed_in_disguise", {"bytes", "values"}),
        ("dimensions_reversed", {"shapes"}),
        ("flipped_bit", {"bytes", "values"}),
        ("swapped_tensors", {"bytes", "values"}),
        ("missing_tensor", {"count"}),
        ("extra_tensor", {"count"}),
    ],
)
def test_each_defect_is_seen_by_the_lines_that_can(
    measure: Measure, model_folder: Path, name: str, seen_by: set[str]
) -> None:
    found = failing(measure(format_round_trip, {"model": open_checkpoint(model_folder)}, name))
    assert found - {"reversed"} == seen_by


def test_every_counter_example_is_tried_above() -> None:
    marks = test_each_defect_is_seen_by_the_lines_that_can.pytestmark  # type: ignore[attr-defined]
    assert {name for name, _ in marks[0].args[1]} == set(format_round_trip.counter_examples)


def test_a_flipped_bit_is_one_byte_and_one_value(measure: Measure, model_folder: Path) -> None:
    run = measure(format_round_trip, {"model": open_checkpoint(model_folder)}, "flipped_bit")
    assert sum(run["differing_bytes"]) == sum(run["differing_elements"]) == 1
