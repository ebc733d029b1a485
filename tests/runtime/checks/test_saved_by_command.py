from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.saved_by_command import saved_by_command
from pv_runtime.formats import open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
SHIPPED = Path(__file__).parents[3] / "models" / "tiny-qwen2"


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        (None, set()),
        ("keeps_nothing", {"kept", "values", "same", "planted"}),
        ("always_equal", {"planted"}),
        ("traces_not_recognised", {"same", "planted"}),
        ("another_layer_kept", {"kept", "values", "planted"}),
    ],
)
def test_each_defect_is_seen_by_the_lines_that_can(
    measure: Measure, name: str | None, seen_by: set[str]
) -> None:
    model = {"model": open_checkpoint(SHIPPED)}
    run = measure(saved_by_command, model, name, stages=["ffn_norm", "ffn_gate"], layer=1, planted=0.1)
    lines = {
        "kept": run["kept"] == run["expected_kept"] == [2],
        "values": sum(run["differing_values"]) == 0,
        "same": (run["same_exit"], run["same_compared"]) == ([0], [2]),
        "planted": run["planted_exit"] == [1] and 0.05 < run["planted_gate"][0] < 0.15,
    }
    assert {line for line, holds in lines.items() if not holds} == seen_by
    assert (run["untouched_gate"] == [0.0]) is (name in {None, "always_equal", "another_layer_kept"})
