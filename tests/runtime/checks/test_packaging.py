from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime import build
from pv_runtime.checks.packaging import packaging_fidelity
from pv_runtime.formats import Checkpoint, open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]


def holds(run: Series) -> list[str]:
    """The contract's lines that fail; the rule of SHIP-003 written out."""
    cosines = [float(value) for value in run.get("cosine", [])]

    def only(name: str) -> int:
        return int(run[name][0])

    lines = {
        "cosine": bool(cosines) and all(0.999 <= value <= 1 + 1e-12 for value in cosines),
        "exact": sum(map(int, run.get("differing_elements", [1]))) == 0,
        "count": len(cosines) == only("expected_tensors") == only("compared"),
        "sides": only("one_sided") == 0 and only("shape_mismatches") == 0,
        "derived": only("derived") == 1,
    }
    return [name for name, line in lines.items() if not line]


@pytest.fixture(scope="module")
def pair(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Checkpoint]:
    folder = tmp_path_factory.mktemp("package")
    build.quantised_gguf(str(model_folder), str(folder / "q.gguf"), scheme="q4_k")
    build.twin(str(folder / "q.gguf"), str(folder / "twin.safetensors"))
    return {
        "quantised": open_checkpoint(folder / "q.gguf"),
        "twin": open_checkpoint(folder / "twin.safetensors"),
    }


def test_an_undamaged_pair_holds(measure: Measure, pair: dict[str, Checkpoint]) -> None:
    run = measure(packaging_fidelity, pair)
    assert holds(run) == []
    assert run["expected_tensors"] == [26]
    assert run["block_quantised"] == [15]
    assert run["twin_fp16"] == [26]


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        ("inverted_byte", {"exact"}),
        ("flipped_nibble", {"exact"}),
        ("wrong_block_scale", {"exact"}),
        ("missing_tensor", {"count", "sides"}),
        ("extra_tensor", {"sides"}),
        ("swapped_tensors", {"cosine", "exact"}),
        ("empty_sweep", {"cosine", "exact", "count", "sides"}),
        ("foreign_twin", {"exact"}),
        ("underived_twin", {"derived"}),
    ],
)
def test_each_defect_is_seen_by_the_lines_that_can(
    measure: Measure, pair: dict[str, Checkpoint], name: str, seen_by: set[str]
) -> None:
    run = measure(packaging_fidelity, pair, name)
    assert set(holds(run)) == seen_by


def test_every_counter_example_is_tried_above() -> None:
    marks = test_each_defect_is_seen_by_the_lines_that_can.pytestmark  # type: ignore[attr-defined]
    assert {name for name, _ in marks[0].args[1]} == set(packaging_fidelity.counter_examples)


def test_a_flipped_nibble_changes_one_element_and_no_cosine_floor_sees_it(
    measure: Measure,
    pair: dict[str, Checkpoint],
) -> None:
    run = measure(packaging_fidelity, pair, "flipped_nibble")
    assert sum(map(int, run["differing_elements"])) == 1
    assert 0.99999 < min(float(value) for value in run["cosine"]) < 1


def test_a_zero_tensor_has_no_cosine(measure: Measure, pair: dict[str, Checkpoint]) -> None:
    from pv_runtime.checks.damage import replaced_values

    name = pair["twin"].names()[0]
    zeros = replaced_values(pair["twin"], (name,), lambda values: values * 0, "F16")
    run = measure(packaging_fidelity, {**pair, "twin": zeros})
    assert any(math.isnan(float(value)) for value in run["cosine"])
