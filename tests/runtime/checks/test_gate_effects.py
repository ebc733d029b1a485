from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.gate_effects import gates_leave_alone
from pv_runtime.formats import open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
SHIPPED = Path(__file__).parents[3] / "models" / "tiny-qwen2"


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        (None, set()),
        ("stamps_the_model", {"changed"}),
        ("report_beside_the_model", {"added"}),
        ("remembers_the_last_time", {"differing_results"}),
    ],
)
def test_each_defect_is_seen_by_the_lines_that_can(
    measure: Measure, name: str | None, seen_by: set[str]
) -> None:
    model = {"model": open_checkpoint(SHIPPED)}
    run = measure(gates_leave_alone, model, name, gates=["capability_match", "metadata_plausibility"])
    assert run.pop("results") == [12]
    assert run.pop("files") == [5]
    assert {metric for metric, values in run.items() if sum(values)} == seen_by
