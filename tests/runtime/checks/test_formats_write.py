from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.formats_write import formats_write
from pv_runtime.formats import open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
SHIPPED = Path(__file__).parents[3] / "models" / "tiny-qwen2"


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        (None, set()),
        ("head_read_as_its_transpose", {"logits", "tokens", "kinds"}),
        ("one_row_for_all_tokens", {"logits", "tokens", "kinds"}),
        ("gate_and_up_exchanged", {"logits", "tokens"}),
        ("one_format_left_out", {"formats"}),
    ],
)
def test_each_defect_is_seen_by_the_lines_that_can(
    measure: Measure, name: str | None, seen_by: set[str]
) -> None:
    model = {"model": open_checkpoint(SHIPPED)}
    run = measure(formats_write, model, name, prompt="def read(path):\n", written=12)
    lines = {
        "formats": run["formats"] == [3],
        "logits": max(run["logit_difference"]) < 1e-3,
        "tokens": sum(run["differing_tokens"]) == 0,
        "kinds": min(run["kinds"]) > 1,
    }
    assert {line for line, holds in lines.items() if not holds} == seen_by
