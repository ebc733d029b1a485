from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.bytes_read import bytes_read
from pv_runtime.formats import open_checkpoint

MODEL = Path(__file__).parents[3] / "models/tiny-qwen2"
Measure = Callable[..., dict[str, list[Any]]]


def test_a_tensor_is_read_by_its_bytes(measure: Measure) -> None:
    run = measure(bytes_read, {"model": open_checkpoint(MODEL)})
    assert run["file_size"] == [(MODEL / "model.safetensors").stat().st_size]
    assert len(run["beyond"]) == 62 == run["expected_tensors"][0]
    assert max(run["beyond"]) <= 1 << 20
    # What is read of all is at least the data: otherwise nothing was seen.
    assert 0.99 * run["file_size"][0] <= run["read_in_all"][0] <= 4 * run["file_size"][0]


@pytest.mark.parametrize("name", ["whole_file_for_each_tensor", "all_pages_for_each_tensor"])
def test_a_file_that_is_read_for_each_tensor_is_seen(measure: Measure, name: str) -> None:
    run = measure(bytes_read, {"model": open_checkpoint(MODEL)}, name)
    size = run["file_size"][0]
    assert min(run["beyond"]) > size - (2 << 20)
    assert run["read_in_all"][0] > 60 * size


def test_every_counter_example_is_tried_above() -> None:
    marks = test_a_file_that_is_read_for_each_tensor_is_seen.pytestmark  # type: ignore[attr-defined]
    assert set(marks[0].args[1]) == set(bytes_read.counter_examples)
