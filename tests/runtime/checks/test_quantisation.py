from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.quantisation import quantisation_fidelity
from pv_runtime.formats import Checkpoint, Overlay, open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]

FLOORS = {"q4_k": (0.993, 2e-2), "q5_k": (0.998, 1.5e-2), "q6_k": (0.9995, 6e-3), "q8_0": (0.9999, 2e-3)}
"""Least cosine to the source, and least error that a genuine source shows."""

SEEN_BY = {
    "flipped_tile": {"cosine"},
    "wrong_block_scale": {"cosine"},
    "missing_tensor": {"count"},
    "extra_tensor": {"sides"},
    "swapped_tensors": {"cosine"},
    "empty_sweep": {"cosine", "count", "genuine"},
    "source_is_own_dequantisation_fp16": {"genuine"},
    "source_is_own_dequantisation_fp32": {"genuine"},
}


@pytest.fixture(scope="module")
def source(model_folder: Path) -> Checkpoint:
    """The model's key and value projections: enough to be swapped, few enough to be quick."""
    model = open_checkpoint(model_folder)
    kept = [f"model.layers.{layer}.self_attn.{part}_proj.weight" for layer in (0, 1) for part in "kv"]
    return Overlay(model, drop=[name for name in model.names() if name not in kept])


def failing(series: Series, scheme: str) -> set[str]:
    floor, least = FLOORS[scheme]
    cosines = series.get("cosine", [])
    lines = {
        "cosine": bool(cosines) and all(floor <= value <= 1 + 1e-12 for value in cosines),
        "genuine": min(series.get("requantisation_rmse", [0.0])) >= least,
        "count": [len(cosines)] == series["expected_tensors"],
        "sides": series["one_sided"] == [0],
    }
    return {name for name, line in lines.items() if not line}


@pytest.mark.parametrize("scheme", FLOORS)
def test_a_genuine_source_passes(measure: Measure, source: Checkpoint, scheme: str) -> None:
    series = measure(quantisation_fidelity, {"source": source}, scheme=scheme)
    assert failing(series, scheme) == set()
    assert series["expected_tensors"] == series["quantised"] == [4]
    assert series["skipped_rows"] == [0]
    assert series["relative_rmse"] == series["requantisation_rmse"]


@pytest.mark.parametrize("name", SEEN_BY)
@pytest.mark.parametrize("scheme", FLOORS)
def test_each_defect_is_seen(measure: Measure, source: Checkpoint, scheme: str, name: str) -> None:
    seen = failing(measure(quantisation_fidelity, {"source": source}, name, scheme=scheme), scheme)
    assert seen >= SEEN_BY[name]
    assert seen - SEEN_BY[name] <= {"sides", "count"}


def test_every_counter_example_is_tried_above() -> None:
    assert set(SEEN_BY) == set(quantisation_fidelity.counter_examples)


def test_rows_that_fit_no_block_are_counted(measure: Measure, tmp_path: Path) -> None:
    import numpy as np
    from pv_runtime.formats.overlay import from_values
    from pv_runtime.formats.safetensors import write_safetensors

    tensor = from_values("w", (4, 224), lambda: np.ones((4, 224), np.float32), "F16")
    write_safetensors(str(tmp_path / "odd.safetensors"), [(tensor.info, tensor.raw)])
    model = open_checkpoint(tmp_path / "odd.safetensors")
    series = measure(quantisation_fidelity, {"source": model}, scheme="q4_k")
    assert series["skipped_rows"] == [1]
    assert series["expected_tensors"] == [0]
    assert measure(quantisation_fidelity, {"source": model}, scheme="q8_0")["quantised"] == [1]
