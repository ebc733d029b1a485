from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pv_runtime.checks.speed import decode_speed
from pv_runtime.formats import open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
SHIPPED = Path(__file__).parents[3] / "models" / "tiny-qwen2"


def measured(measure: Measure, name: str | None = None) -> Series:
    return measure(
        decode_speed, {"model": open_checkpoint(SHIPPED)}, name, new_tokens=12, iterations=2, threads=1
    )


def test_there_is_a_sample_an_iteration_and_more_time_is_less_speed(measure: Measure) -> None:
    run, slow = measured(measure), measured(measure, "a_hundred_times_slower")
    assert (run["parity"], len(run["tokens_per_second"]), run["new_tokens"]) == ([1], 2, [12])
    assert max(slow["tokens_per_second"]) < min(run["tokens_per_second"])


def test_a_model_that_computes_something_else_has_no_speed(measure: Measure) -> None:
    assert measured(measure, "stale_row_in_the_cache") == {"parity": [0]}


def test_nothing_is_read_faster_than_memory_gives_it(measure: Measure) -> None:
    assert 0 < measured(measure)["share_of_copy"][0] <= 2
    assert measured(measure, "seconds_taken_for_minutes")["share_of_copy"][0] > 2
