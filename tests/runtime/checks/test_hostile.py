from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.hostile import corrupted_offsets
from pv_runtime.formats import open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]


def failing(run: Series) -> set[str]:
    """The lines of FALSIFY-PARSE-001 that fail."""
    refused = run.get("refused", [])
    lines = {
        "whole": run["formats"] == [3] and sum(run.get("whole_refused", [])) == 0,
        "count": run["mutations"] == run["expected_mutations"],
        "crashed": sum(run.get("crashed", [])) == 0,
        "outside": sum(run.get("outside", [])) == 0,
        "refused": bool(refused) and sum(refused) / len(refused) >= 0.5,
        "cut": len(run.get("cut_accepted", [])) == 192 and sum(run["cut_accepted"]) == 0,
    }
    return {name for name, line in lines.items() if not line}


def test_no_damage_of_a_head_crashes_a_reader(measure: Measure, model_folder: Path) -> None:
    run = measure(corrupted_offsets, {"model": open_checkpoint(model_folder)}, rounds=400)
    assert failing(run) == set()
    assert run["mutations"] == [1200]


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        ("believes_the_header", {"crashed"}),
        ("reads_past_the_end", {"whole", "outside"}),
        ("takes_what_is_cut_short", {"cut"}),
        ("refuses_everything", {"whole"}),
        ("no_readers", {"whole", "count", "refused", "cut"}),
    ],
)
def test_each_lax_reader_is_seen(measure: Measure, model_folder: Path, name: str, seen_by: set[str]) -> None:
    run = measure(corrupted_offsets, {"model": open_checkpoint(model_folder)}, name, rounds=60)
    assert seen_by <= failing(run)


def test_every_counter_example_is_tried_above() -> None:
    marks = test_each_lax_reader_is_seen.pytestmark  # type: ignore[attr-defined]
    assert {name for name, _ in marks[0].args[1]} == set(corrupted_offsets.counter_examples)
