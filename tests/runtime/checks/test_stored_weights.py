from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.stored_weights import stored_weights
from pv_runtime.formats import open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]


def test_a_tied_head_is_counted_once_and_twice(measure: Measure, model_folder: Path) -> None:
    run = measure(stored_weights, {"model": open_checkpoint(model_folder)})
    assert run["stored"] == run["stated"] == [sum(run["stored_of_tensor"])]
    assert run["with_head"] == [run["stored"][0] + 96 * 256]
    assert run["tensors"] == [26] == [len(run["stored_of_tensor"])]


@pytest.mark.parametrize("name", list(stored_weights.counter_examples))
def test_each_defect_is_seen(measure: Measure, model_folder: Path, name: str) -> None:
    run = measure(stored_weights, {"model": open_checkpoint(model_folder)}, name)
    assert run["stored"] != run["stated"]
    assert run["tensors"] != [26]
