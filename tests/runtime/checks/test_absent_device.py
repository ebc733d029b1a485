from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.absent_device import absent_device
from pv_runtime.formats import open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
SHIPPED = Path(__file__).parents[3] / "models" / "tiny-qwen2"
LINES = [["run", "def f(", "--max-tokens", "2"], ["trace", "--token-ids", "1,2", "--layer", "0"]]


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        (None, set()),
        ("falls_back_unsaid", {"success", "answer", "name"}),
        ("falls_back_and_says_so", {"success", "answer"}),
        ("fails_unsaid", {"name"}),
        ("fails_always", {"works"}),
    ],
)
def test_each_defect_is_seen_by_the_lines_that_can(
    measure: Measure, name: str | None, seen_by: set[str]
) -> None:
    run = measure(absent_device, {"model": open_checkpoint(SHIPPED)}, name, lines=LINES)
    lines = {
        "works": run["works_on_the_cpu"] == [1, 1],
        "success": sum(run["succeeded"]) == 0,
        "answer": sum(run["answered"]) == 0,
        "name": sum(run["unnamed"]) == 0,
    }
    assert {line for line, holds in lines.items() if not holds} == seen_by
