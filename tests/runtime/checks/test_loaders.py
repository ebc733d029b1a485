from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.loaders import every_entry, formats_agree
from pv_runtime.formats import open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]


def failing_entries(run: Series) -> set[str]:
    """The lines of FALSIFY-LAYOUT-002 that fail."""
    lines = {
        "ways": run["entries"] == [6] and run.get("whole_accepted") == [1] * 6,
        "tried": run["tried"] == [18],
        "refused": sum(run.get("accepted", [])) == 0,
    }
    return {name for name, line in lines.items() if not line}


def failing_agreement(run: Series) -> set[str]:
    """The lines of FALSIFY-LAYOUT-006 that fail."""
    lines = {
        "count": run["verdicts"] == [15] and run["cases"] == [5] and run["formats"] == [3],
        "right": bool(run.get("as_expected")) and all(run["as_expected"]),
        "agreeing": all(run["agreeing"]),
    }
    return {name for name, line in lines.items() if not line}


def test_every_way_in_refuses_contradictions(measure: Measure, model_folder: Path) -> None:
    assert failing_entries(measure(every_entry, {"model": open_checkpoint(model_folder)})) == set()


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        ("way_around", {"refused"}),
        ("refuses_everything", {"ways"}),
        ("no_ways", {"ways", "tried"}),
        ("unread_tensor", {"ways"}),
    ],
)
def test_each_lax_entry_is_seen(measure: Measure, model_folder: Path, name: str, seen_by: set[str]) -> None:
    run = measure(every_entry, {"model": open_checkpoint(model_folder)}, name)
    assert failing_entries(run) == seen_by


def test_formats_give_one_finding(measure: Measure, model_folder: Path) -> None:
    assert failing_agreement(measure(formats_agree, {"model": open_checkpoint(model_folder)})) == set()


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        ("nan_swept_away", {"right", "agreeing"}),
        ("zeros_filled_up", {"right", "agreeing"}),
        ("data_read_as_zeros", {"right", "agreeing"}),
        ("one_format_left_out", {"count"}),
        ("no_formats", {"count", "right", "agreeing"}),
    ],
)
def test_each_reader_that_hides_is_seen(
    measure: Measure, model_folder: Path, name: str, seen_by: set[str]
) -> None:
    run = measure(formats_agree, {"model": open_checkpoint(model_folder)}, name)
    assert failing_agreement(run) == seen_by


def test_every_counter_example_is_tried_above() -> None:
    tried = ((test_each_lax_entry_is_seen, every_entry), (test_each_reader_that_hides_is_seen, formats_agree))
    for test, check in tried:
        marks = test.pytestmark  # type: ignore[attr-defined]
        assert {name for name, _ in marks[0].args[1]} == set(check.counter_examples)
