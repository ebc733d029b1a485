from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.outliers import outlying_layers
from pv_runtime.formats import open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
SHIPPED = Path(__file__).parents[3] / "models" / "tiny-qwen2"


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        (None, set()),
        ("never_looks", {"found"}),
        ("names_everything", {"healthy", "others"}),
        ("one_layer_off", {"found"}),
        ("names_where_it_leaves", {"found"}),
    ],
)
def test_the_planted_layer_is_named_and_no_other(
    measure: Measure, name: str | None, seen_by: set[str]
) -> None:
    model = open_checkpoint(SHIPPED)
    run = measure(outlying_layers, {"model": model}, name, factor=20.0, prompt_tokens=12)
    lines = {
        "found": run["found"] == [1] * 5 and run["layers"] == [5],
        "others": sum(run["others_flagged"]) == 0,
        "healthy": run["healthy_flagged"] == [0],
    }
    assert {line for line, holds in lines.items() if not holds} == seen_by
