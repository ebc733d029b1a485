from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.endings import early_endings, mode_rows
from pv_runtime.formats import open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
SHIPPED = Path(__file__).parents[3] / "models" / "tiny-qwen2"

ROWS = {
    "finetune": {"lr": 5e-5, "warmup_steps": 100},
    "from-scratch": {"lr": 3e-4, "warmup_steps": 1000},
}


def ended(measure: Measure, example: str | None = None) -> set[str]:
    run = measure(early_endings, {"tokenizer": open_checkpoint(SHIPPED)}, example)
    lines = {
        "enough": run["enough_code"] == [0, 0] and run["enough_status"] == ["EARLY_STOP"] * 2,
        "at once": run["steps_too_many"] == [0, 0],
        "saved": run["not_saved"] == [0, 0],
        "stopped": run["stopped_code"] == [1, 1],
        "said": run["unsaid"] == [0, 0],
        "finite": sum(run["values_not_finite"]) == sum(run["numbers_not_finite"]) == 0,
    }
    return {name for name, line in lines.items() if not line}


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        (None, set()),
        ("never_enough", {"enough", "at once"}),
        ("last_step_not_saved", {"enough", "at once", "saved"}),
        ("doubling_is_borne", {"stopped", "said"}),
        ("nan_is_borne", {"finite"}),
    ],
)
def test_each_defect_is_seen_by_the_lines_that_can(
    measure: Measure, name: str | None, seen_by: set[str]
) -> None:
    assert ended(measure, name) == seen_by


@pytest.mark.parametrize(
    ("name", "differing", "accepted"),
    [(None, 0, 0), ("half_a_row", 2, 0), ("always_finetune", 4, 0), ("mode_is_only_a_word", 0, 2)],
)
def test_a_mode_is_a_whole_row(measure: Measure, name: str | None, differing: int, accepted: int) -> None:
    run = measure(mode_rows, {"tokenizer": open_checkpoint(SHIPPED)}, name, rows=ROWS)
    assert (len(run["differing"]), sum(run["differing"])) == (12, differing)
    assert (len(run["accepted"]), sum(run["accepted"])) == (2, accepted)
