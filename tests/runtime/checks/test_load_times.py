from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.load_times import load_times
from pv_runtime.formats import open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
SHIPPED = Path(__file__).parents[3] / "models" / "tiny-qwen2"


@pytest.mark.parametrize(("name", "same"), [(None, True), ("another_token_read", False)])
def test_what_is_written_is_compared(measure: Measure, name: str | None, *, same: bool) -> None:
    run = measure(load_times, {"model": open_checkpoint(SHIPPED)}, name, turns=1, written=3)
    assert (run["differing_tokens"] == [0]) is same
    assert run["turns"] == [1]


def test_a_reader_that_reads_three_times_more_is_slower(measure: Measure) -> None:
    run = measure(
        load_times, {"model": open_checkpoint(SHIPPED)}, "every_tensor_read_thrice", turns=3, written=1
    )
    assert run["load_ratio"][0] > 2
