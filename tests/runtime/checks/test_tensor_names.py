from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.tensor_names import loaded_ways, named_otherwise, resolved_names
from pv_runtime.formats import open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
MODELS = Path(__file__).parents[3] / "models"


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        (None, set()),
        ("gate_for_up", {"misnamed"}),
        ("head_not_known", {"misnamed"}),
        ("layers_from_one", {"not_returned"}),
    ],
)
def test_names_are_those_of_gguf_and_come_back(measure: Measure, name: str | None, seen_by: set[str]) -> None:
    run = measure(resolved_names, {}, name, preset="qwen2.5-0.5b")
    assert (run.pop("roles"), run.pop("names")) == ([12], [291])
    assert {metric for metric, values in run.items() if sum(values)} == seen_by


@pytest.mark.parametrize("name", [None, *loaded_ways.counter_examples])
def test_a_layer_that_stands_for_another_shows(measure: Measure, name: str | None) -> None:
    run = measure(loaded_ways, {"model": open_checkpoint(MODELS / "tiny-qwen2")}, name)
    assert run["tensors"] == [8 * run["layers"][0]]
    assert (sum(run["differing_values"]) == 0) is (name is None)


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        (None, set()),
        ("one_spelling_only", {"unresolved"}),
        ("absent_filled_with_zeros", {"absence_accepted"}),
        ("names_exchanged", {"differing_bytes"}),
    ],
)
def test_a_spelling_or_an_absence_that_is_overlooked_shows(
    measure: Measure, name: str | None, seen_by: set[str]
) -> None:
    run = measure(named_otherwise, {"model": open_checkpoint(MODELS / "tiny-qwen2")}, name)
    assert run.pop("left_out") == [14]
    del run["tensors"]
    assert {metric for metric, values in run.items() if sum(values)} == seen_by
