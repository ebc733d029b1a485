from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.taken_up import taken_up
from pv_runtime.formats import open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
SHIPPED = Path(__file__).parents[3] / "models" / "tiny-qwen2"


def stopped(measure: Measure, example: str | None = None) -> set[str]:
    run = measure(taken_up, {"tokenizer": open_checkpoint(SHIPPED)}, example)
    lines = {
        "a clear stop": run["full_code"] == [1] and run["unsaid"] == [0],
        "whole": run["half_written"] == [0] and run["latest_is_whole"] == [1] and run["steps_lost"][0] <= 2,
        "goes on": run["resumed_code"] == [0, 0],
        "the same files": run["differing_files"] == [0, 0],
        "the same losses": run["differing_lines"] == [0, 0],
        "nothing left": run["left_over"] == [0, 0],
    }
    return {name for name, line in lines.items() if not line}


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        (None, set()),
        ("written_in_place", {"a clear stop", "whole", "goes on", "the same files", "the same losses"}),
        ("moments_begin_again", {"the same files", "the same losses"}),
        ("data_begin_again", {"the same files", "the same losses"}),
        ("weights_kept_in_half", {"the same files", "the same losses"}),
    ],
)
def test_each_defect_is_seen_by_the_lines_that_can(
    measure: Measure, name: str | None, seen_by: set[str]
) -> None:
    assert stopped(measure, name) == seen_by
