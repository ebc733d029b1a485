from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.build_export import exported_gguf, quantised_apr
from pv_runtime.checks.gguf_export import gguf_export, read_by_others
from pv_runtime.formats import Checkpoint, FileBytes, open_bytes, open_checkpoint
from pv_runtime.llama_process import installed

from pv.check import Run

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
ROOT = Path(__file__).parents[3]
REFUSED = {"reader", "count", "names", "values", "derived"}
"""What is not there to judge where the reader refuses the file."""


def only_reading(run: Run, *, source: Checkpoint, exported: FileBytes) -> None:
    read_by_others(run, source=source, exported=exported)


READING = dataclasses.replace(gguf_export, function=only_reading)
"""The check as far as it goes without llama.cpp."""


@pytest.fixture(scope="module")
def subjects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("exported")
    quantised_apr(str(ROOT / "models/tiny-qwen2"), str(folder / "x.apr"), quantisation="q4_k_m")
    exported_gguf(str(folder / "x.apr"), str(folder / "x.gguf"))
    return {"source": open_checkpoint(folder / "x.apr"), "exported": open_bytes(folder / "x.gguf")}


def failing(run: Series) -> set[str]:
    """The lines of FALSIFY-SHIP-004 that fail; what was not recorded fails."""
    expected = run["expected_tensors"]
    differing = run.get("differing_elements", [])
    lines = {
        "head": run["magic_ok"] == [1] and run["version"][0] in {2, 3},
        "reader": run["reader_ok"] == [1] and run.get("tensors") == expected,
        "count": run.get("compared") == expected and len(differing) == expected[0],
        "names": run.get("one_sided") == [0] and run.get("shape_mismatches") == [0],
        "values": bool(differing) and sum(differing) == 0,
        "derived": run.get("derived") == [1],
    }
    if "llama_exit" in run:
        lines["llama"] = run["llama_exit"] == [0] and run["generated"] == [4]
        lines["logits"] = run["odd_logits"] == [0]
    return {name for name, line in lines.items() if not line}


DEFECTS = [
    ("wrong_magic", {"head"} | REFUSED, {"llama"}),
    ("magic_in_lower_case", {"head"} | REFUSED, {"llama"}),
    ("version_1", {"head"} | REFUSED, {"llama"}),
    ("version_4", {"head"} | REFUSED, {"llama"}),
    ("truncated", REFUSED, {"llama"}),
    ("empty_file", {"head"} | REFUSED, {"llama"}),
    ("flipped_bit", {"values"}, set()),
    ("infinity", {"values"}, {"logits"}),
    ("no_tokenizer", set(), {"llama"}),
    ("no_block_count", set(), {"llama"}),
    ("underived", {"derived"}, set()),
    ("tensor_not_exported", {"names"}, set()),
    ("tensor_added", {"names", "count"}, set()),
]
"""Name, lines that see it, and those of llama.cpp that do."""


def test_what_we_export_is_read_by_others(measure: Measure, subjects: dict[str, Any]) -> None:
    run = measure(READING, subjects)
    assert failing(run) == set()
    assert (run["version"], run["expected_tensors"]) == ([3], [62])


@pytest.mark.parametrize(("name", "seen_by"), [defect[:2] for defect in DEFECTS])
def test_each_defect_is_seen_by_the_lines_that_can(
    measure: Measure, subjects: dict[str, Any], name: str, seen_by: set[str]
) -> None:
    assert failing(measure(READING, subjects, name)) == seen_by


def test_a_flipped_bit_is_few_values_and_an_infinity_is_one(
    measure: Measure, subjects: dict[str, Any]
) -> None:
    assert 1 <= sum(measure(READING, subjects, "flipped_bit")["differing_elements"]) <= 2
    assert sum(measure(READING, subjects, "infinity")["differing_elements"]) == 1


def test_every_counter_example_is_tried_above() -> None:
    assert {defect[0] for defect in DEFECTS} == set(gguf_export.counter_examples)


@pytest.mark.oracle
@pytest.mark.parametrize(("name", "seen_by", "by_llama"), [(None, set(), set()), *DEFECTS])
def test_llama_cpp_sees_what_readers_of_tensors_do_not(
    measure: Measure, subjects: dict[str, Any], name: str | None, seen_by: set[str], by_llama: set[str]
) -> None:
    if not installed():
        pytest.skip("llama-cpp-python is not installed; where it may be built: make oracles")
    found = failing(measure(gguf_export, subjects, name))
    assert found & {"llama", "logits"} == by_llama
    assert found >= seen_by
