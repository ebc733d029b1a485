from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pv_runtime.checks.converted_heads import converted_heads

Series = dict[str, list[Any]]
Measure = Callable[..., Series]


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        (None, set()),
        ("head_written_twice", {"copies"}),
        ("head_of_another_model", {"not_loaded", "wrong_shape", "differing_values", "copies"}),
        ("embedding_lost", {"not_loaded", "wrong_shape", "differing_values", "copies"}),
        ("rows_one_off", {"differing_values"}),
    ],
)
def test_each_defect_is_seen_by_the_lines_that_can(
    measure: Measure, name: str | None, seen_by: set[str]
) -> None:
    run = measure(converted_heads, {}, name, quantisations=["q4_k", "q8_0", "f16", "f32"], forms=["gguf"])
    assert run.pop("paths") == [4]
    assert {metric for metric, values in run.items() if sum(values)} == seen_by
