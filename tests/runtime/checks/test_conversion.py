from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.conversion import conversion_fidelity
from pv_runtime.convert import QUANTISATIONS
from pv_runtime.formats import open_checkpoint

from pv.check import CheckError

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
EXACT = {"f16", "f32"}  # the fixture's matrices are fp16


def failing(run: Series, quantisation: str) -> set[str]:
    lines = {
        "count": run["compared"] == run["expected_tensors"] and run["one_sided"] == [0],
        "cosine": bool(run.get("cosine")) and min(run["cosine"]) > 0.99,
        "types": run["of_main_type"][0] + run["of_other_types"][0] == 15
        and (run["of_other_types"][0] == 0 or (quantisation == "q4_k_m" and run["of_other_types"][0] == 3)),
        "vectors": sum(run.get("differing_vectors", [])) == 0,
        "exact": quantisation not in EXACT or sum(run.get("differing_elements", [])) == 0,
    }
    return {name for name, line in lines.items() if not line}


@pytest.mark.parametrize("quantisation", QUANTISATIONS)
def test_every_conversion_carries_the_model(measure: Measure, model_folder: Path, quantisation: str) -> None:
    subjects = {"source": open_checkpoint(model_folder)}
    run = measure(conversion_fidelity, subjects, quantisation=quantisation)
    assert failing(run, quantisation) == set()
    assert (sum(run["differing_elements"]) == 0) == (quantisation in EXACT)


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        ("flipped_tile", {"cosine", "exact", "types"}),
        ("flipped_bit", {"exact"}),
        ("matrix_left_as_it_was", {"types"}),
        ("vector_rounded", {"vectors"}),
        ("swapped_tensors", {"cosine", "exact"}),
        ("missing_tensor", {"count"}),
        ("extra_tensor", {"count"}),
        ("empty_sweep", {"count", "cosine", "types"}),
    ],
)
def test_each_defect_is_seen_by_the_lines_that_can(
    measure: Measure, model_folder: Path, name: str, seen_by: set[str]
) -> None:
    subjects = {"source": open_checkpoint(model_folder)}
    assert failing(measure(conversion_fidelity, subjects, name, quantisation="f16"), "f16") == seen_by


def test_every_counter_example_is_tried_above() -> None:
    marks = test_each_defect_is_seen_by_the_lines_that_can.pytestmark  # type: ignore[attr-defined]
    assert {name for name, _ in marks[0].args[1]} == set(conversion_fidelity.counter_examples)


def test_no_such_conversion_is_said(measure: Measure, model_folder: Path) -> None:
    with pytest.raises(CheckError, match="q4_k_m"):
        measure(conversion_fidelity, {"source": open_checkpoint(model_folder)}, quantisation="q3")
