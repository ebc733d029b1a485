from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime import build_apr
from pv_runtime.checks.provenance import provenance
from pv_runtime.formats import Checkpoint, Overlay, open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]


def holds(run: Series) -> set[str]:
    """The lines of SHIP-009 that fail."""
    lines = {
        "present": run["present"] == [1, 1, 1],
        "stated": run["stated"] == [1, 1, 1],
        "spdx": run["spdx"] == [1, 1],
        "derived": run["derived"] == [1],
        "count": run["compared"] == run["expected_tensors"] != [0] and run["one_sided"] == [0],
        "bytes": sum(run.get("differing_tensors", [])) == 0,
    }
    return {name for name, line in lines.items() if not line}


@pytest.fixture(scope="module")
def pair(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Checkpoint]:
    folder = tmp_path_factory.mktemp("stamped")
    before, after = str(folder / "model.apr"), str(folder / "stamped.apr")
    build_apr.apr(str(model_folder), before)
    build_apr.stamped(before, after, license="mit", data_source="ours", data_license="PSF-2.0")
    return {"before": open_checkpoint(before), "stamped": open_checkpoint(after)}


def test_a_stamped_file_holds(measure: Measure, pair: dict[str, Checkpoint]) -> None:
    run = measure(provenance, pair)
    assert holds(run) == set()
    assert run["compared"] == [26]


def test_the_file_before_the_stamp_does_not_hold(measure: Measure, pair: dict[str, Checkpoint]) -> None:
    run = measure(provenance, {"before": pair["before"], "stamped": pair["before"]})
    assert holds(run) == {"present", "stated", "spdx", "derived"}


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        ("licence_missing", {"present", "stated", "spdx"}),
        ("data_licence_empty", {"stated", "spdx"}),
        ("placeholder_source", {"stated"}),
        ("missing_in_words", {"stated"}),
        ("proprietary_licence", {"stated", "spdx"}),
        ("licence_in_words", {"spdx"}),
        ("unstamped", {"present", "stated", "spdx", "derived"}),
        ("flipped_bit", {"bytes"}),
        ("missing_tensor", {"count"}),
        ("extra_tensor", {"count"}),
        ("empty_model", {"count"}),
    ],
)
def test_each_defect_is_seen_by_the_lines_that_can(
    measure: Measure, pair: dict[str, Checkpoint], name: str, seen_by: set[str]
) -> None:
    assert holds(measure(provenance, pair, name)) == seen_by


def test_every_counter_example_is_tried_above() -> None:
    marks = test_each_defect_is_seen_by_the_lines_that_can.pytestmark  # type: ignore[attr-defined]
    assert {name for name, _ in marks[0].args[1]} == set(provenance.counter_examples)


@pytest.mark.parametrize("value", [7, None, ["MIT"], b"MIT"])
def test_what_is_no_text_is_not_present(measure: Measure, pair: dict[str, Checkpoint], value: object) -> None:
    metadata = {**pair["stamped"].metadata, "license": value}
    run = measure(provenance, {**pair, "stamped": Overlay(pair["stamped"], metadata=metadata)})
    assert holds(run) == {"present", "stated", "spdx"}


@pytest.mark.parametrize("text", ["NOASSERTION", "unknown", " N/A ", "None"])
def test_a_placeholder_states_nothing(measure: Measure, pair: dict[str, Checkpoint], text: str) -> None:
    metadata = {**pair["stamped"].metadata, "data_source": text}
    run = measure(provenance, {**pair, "stamped": Overlay(pair["stamped"], metadata=metadata)})
    assert holds(run) == {"stated"}
