from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.refusals import refusals
from pv_runtime.formats import open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
SHIPPED = Path(__file__).parents[3] / "models" / "tiny-qwen2"
MODULE = "unsound_runs"
KINDS = [
    ("absent_device", 2, 1),
    ("damaged_checkpoint", 8, 1),
    ("device_grammar", 11, 3),
    ("nothing_to_resume", 6, 2),
    ("resumed_otherwise", 8, 2),
]
SEEN = [
    ("absent_device", "any_word_is_a_device", "accepted", 2),
    ("damaged_checkpoint", "damage_is_skipped", "unsaid", 6),
    ("nothing_to_resume", "begins_again_in_its_folder", "unsaid", 6),
]


def measured(measure: Measure, cases: str, example: str | None = None) -> Series:
    where = f"pv_runtime.checks.{MODULE}:{cases}"
    return measure(refusals, {"tokenizer": open_checkpoint(SHIPPED)}, example, cases=where)


@pytest.mark.parametrize(("cases", "refused", "taken"), KINDS)
def test_each_case_is_refused_or_taken_as_it_should_be(
    measure: Measure, cases: str, refused: int, taken: int
) -> None:
    run = measured(measure, cases)
    assert (run["cases"], run["sound"]) == ([refused], [taken])
    for name in ("accepted", "crashed", "unsaid", "altered"):
        assert run.get(name, []) == [0] * refused
    assert run["sound_refused"] == [0] * taken


@pytest.mark.parametrize(("cases", "example", "metric", "count"), SEEN)
def test_a_defect_is_seen(measure: Measure, cases: str, example: str, metric: str, count: int) -> None:
    assert sum(value > 0 for value in measured(measure, cases, example)[metric]) == count
