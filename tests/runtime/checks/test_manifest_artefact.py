from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.build_publish import published_manifest
from pv_runtime.checks.manifest_artefact import header_bits, magic, parent_chain, stored_types
from pv_runtime.export import export
from pv_runtime.formats import open_bytes, open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]


@pytest.fixture(scope="module")
def published(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model as APR and its manifest."""
    folder = tmp_path_factory.mktemp("published")
    export(open_checkpoint(model_folder), str(folder / "model.apr"), "apr", with_tokenizer=False)
    published_manifest(
        str(folder / "model.apr"),
        str(folder / "m.json"),
        url="https://example.org/model.apr",
        said={"license": "MIT"},
        provenance={"pipeline": "conversion"},
        parents=[{"model_id": "example/root", "address": "https://example.org/root"}],
    )
    return folder


def opened(folder: Path) -> dict[str, Any]:
    return {"manifest": open_bytes(folder / "m.json"), "artefact": open_checkpoint(folder / "model.apr")}


def as_bytes(folder: Path) -> dict[str, Any]:
    return {"manifest": open_bytes(folder / "m.json"), "artefact": open_bytes(folder / "model.apr")}


def test_a_true_manifest_holds(measure: Measure, published: Path) -> None:
    run = measure(parent_chain, opened(published))
    expected = {"depth": [1], "expected_depth": [1], "differing": [0], "cycles": [0], "documented": [1]}
    assert run == expected
    types = measure(stored_types, opened(published))
    assert (types["format_equal"], types["main_type_equal"], types["vectors_not_float"]) == ([1], [1], [0])
    assert types["another_type"] == [0] * 15
    assert types["matrices"] == types["expected_matrices"] == [15]
    assert measure(magic, as_bytes(published)) == {"format_stated": ["apr"], "magic_ok": [1], "opens": [1]}


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        ("parent_left_out", {"depth", "documented"}),
        ("its_own_parent", {"differing", "cycles"}),
        ("another_root", {"differing"}),
        ("root_nowhere", {"documented"}),
        ("made_of_nothing", {"depth", "differing"}),
    ],
)
def test_each_wrong_parent_is_seen(measure: Measure, published: Path, name: str, seen_by: set[str]) -> None:
    run = measure(parent_chain, opened(published), name)
    lines = {
        "depth": run["depth"] == run["expected_depth"],
        "differing": sum(run.get("differing", [])) == 0,
        "cycles": run["cycles"] == [0],
        "documented": run["documented"] == [1],
    }
    assert {line for line, holds in lines.items() if not holds} == seen_by


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        ("all_in_float32", {"main", "another"}),
        ("one_in_float32", {"another"}),
        ("type_of_another_file", {"main", "another"}),
        ("format_of_another_file", {"format"}),
        ("matrix_missing", {"matrices"}),
    ],
)
def test_each_wrong_type_is_seen(measure: Measure, published: Path, name: str, seen_by: set[str]) -> None:
    run = measure(stored_types, opened(published), name)
    lines = {
        "format": run["format_equal"] == [1],
        "main": run["main_type_equal"] == [1],
        "another": sum(run["another_type"]) == 0,
        "matrices": run["matrices"] == run["expected_matrices"],
    }
    assert {line for line, holds in lines.items() if not holds} == seen_by


@pytest.mark.parametrize("name", list(magic.counter_examples))
def test_another_beginning_is_seen(measure: Measure, published: Path, name: str) -> None:
    run = measure(magic, as_bytes(published), name)
    assert [run["format_stated"], run["magic_ok"], run["opens"]] != [["apr"], [1], [1]]


@pytest.mark.parametrize("place", range(8))
def test_one_bit_of_the_header_is_seen(measure: Measure, published: Path, place: int) -> None:
    subjects = as_bytes(published)
    damaged = header_bits(subjects["artefact"], 1, place)
    run = measure(magic, {**subjects, "artefact": damaged})
    assert [run["magic_ok"], run["opens"]] != [[1], [1]]


def test_a_manifest_without_parents_is_no_error(measure: Measure, published: Path, tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(json.dumps({"provenance": []}))
    run = measure(parent_chain, {**opened(published), "manifest": open_bytes(tmp_path / "m.json")})
    assert (run["depth"], run["documented"]) == ([0], [0])
