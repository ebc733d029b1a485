from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.weight_contents import dead_rows, weight_contents
from pv_runtime.formats import open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
SHIPPED = Path(__file__).parents[3] / "models" / "tiny-qwen2"


def failing(run: Series) -> set[str]:
    lines = {
        "norm": len(run["norm"]) == run["expected_tensors"][0] and min(run["norm"]) > 1e-6,
        "one value": sum(run["one_value"]) == 0,
        "dead": max(run["dead_row_share"]) < 0.25,
    }
    return {name for name, line in lines.items() if not line}


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        (None, set()),
        ("bias_of_zeros", {"norm", "one value"}),
        ("norm_of_ones", {"one value"}),
        ("third_of_the_rows_dead", {"dead"}),
        ("missing_tensor", {"norm"}),
    ],
)
def test_each_defect_is_seen_by_the_lines_that_can(
    measure: Measure, name: str | None, seen_by: set[str]
) -> None:
    assert failing(measure(weight_contents, {"model": open_checkpoint(SHIPPED)}, name)) == seen_by


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_dose_of_dead_rows_is_as_large_as_asked_for(measure: Measure, place: int) -> None:
    run = measure(weight_contents, {"model": dead_rows(open_checkpoint(SHIPPED), 0.3, place)})
    assert max(run["dead_row_share"]) == pytest.approx(0.3, abs=1e-3)
