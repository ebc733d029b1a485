from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.row_bytes import row_bytes
from pv_runtime.formats import open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
SHIPPED = Path(__file__).parents[3] / "models" / "tiny-qwen2-7to1"


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        (None, set()),
        ("short_rows_called_q4_k", {"left"}),
        ("one_row_cut_off", {"extent"}),
        ("one_index_empty", {"tensors"}),
    ],
)
def test_each_defect_is_seen_by_the_lines_that_can(
    measure: Measure, name: str | None, seen_by: set[str]
) -> None:
    model = {"model": open_checkpoint(SHIPPED)}
    run = measure(row_bytes, model, name, quantisations=["q8_0", "f16"] if name is None else ["q8_0", "f32"])
    lines = {
        "tensors": run["tensors"] == run["expected_tensors"],
        "extent": sum(run["extent_off"]) == 0,
        "left": sum(run["columns_left"]) == 0,
    }
    assert {line for line, holds in lines.items() if not holds} == seen_by
    assert run["in_blocks"][0] >= 1
