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
MODULE = "unsound_data"
KINDS = [
    ("damaged_shards", 9, 1),
    ("foreign_ids", 6, 2),
    ("too_little", 4, 2),
    ("leaking", 10, 2),
    ("another_tokenizer", 4, 2),
    ("unreadable_text", 4, 4),
]
SEEN = [
    ("foreign_ids", "ids_taken_modulo", "accepted", 6),
    ("too_little", "a_short_shard_is_filled_up", "accepted", 2),
    ("leaking", "leak_not_looked_for", "accepted", 7),
    ("unreadable_text", "what_is_no_text_is_left_out", "accepted", 3),
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
