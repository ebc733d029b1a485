from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.header import safetensors_header
from pv_runtime.formats import FileBytes, open_bytes, open_checkpoint

Measure = Callable[..., dict[str, list[Any]]]


@pytest.fixture
def file(model_folder: Path) -> FileBytes:
    return open_bytes(model_folder)


def figures(series: dict[str, list[Any]]) -> dict[str, Any]:
    return {name: values[0] for name, values in series.items() if name != "refusal"}


def test_a_whole_file_passes_all_three(measure: Measure, file: FileBytes, model_folder: Path) -> None:
    model = open_checkpoint(model_folder)
    total = sum(model.tensor(name).size for name in model.names())
    assert figures(measure(safetensors_header, {"file": file})) == {
        "load_ok": 1,
        "header_length_ok": 1,
        "brace_ok": 1,
        "tensor_count": 26,
        "total_params": total,
    }


@pytest.mark.parametrize(
    ("name", "verdicts"),
    [
        ("wrong_length_prefix", (0, 1, 1)),
        ("header_longer_than_file", (0, 0, 1)),
        ("zero_header", (0, 0, 1)),
        ("bracket_instead_of_brace", (0, 1, 0)),
        ("truncated", (0, 1, 1)),
        ("empty_file", (0, 0, 0)),
    ],
)
def test_each_defect_turns_its_own_verdicts(
    measure: Measure, file: FileBytes, name: str, verdicts: tuple[int, int, int]
) -> None:
    series = measure(safetensors_header, {"file": file}, name)
    found = figures(series)
    assert (found["load_ok"], found["header_length_ok"], found["brace_ok"]) == verdicts
    assert found["tensor_count"] == found["total_params"] == 0
    assert series["refusal"] != ["none"]


def test_a_tensor_missing_is_seen_by_the_count_alone(measure: Measure, file: FileBytes) -> None:
    found = figures(measure(safetensors_header, {"file": file}, "tensor_missing_from_header"))
    assert (found["load_ok"], found["header_length_ok"], found["brace_ok"]) == (1, 1, 1)
    assert found["tensor_count"] == 25


def test_damage_leaves_the_file_as_it_was(measure: Measure, file: FileBytes) -> None:
    before = Path(file.path).read_bytes()
    for name in safetensors_header.counter_examples:
        measure(safetensors_header, {"file": file}, name)
    assert Path(file.path).read_bytes() == before
