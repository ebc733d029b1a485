from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.build_manifest import manifest as build
from pv_runtime.checks.manifest import publish_manifest
from pv_runtime.formats import FileBytes, open_bytes

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
VERDICTS = ("digest_well_formed", "digest_equal", "size_equal", "https")


def failing(run: Series) -> set[str]:
    """The verdicts of SHIP-010 that fail."""
    found = {name for name in VERDICTS if not run.get(name) or not all(run[name])}
    return found | {name for name in ("readable", "files") if run[name] != [1]}


@pytest.fixture
def pair(model_folder: Path, tmp_path: Path) -> dict[str, FileBytes]:
    weights = model_folder / "model.safetensors"
    build(str(weights), str(tmp_path / "manifest.json"), url="https://example.org/m/model.safetensors")
    return {"manifest": open_bytes(tmp_path / "manifest.json"), "artefact": open_bytes(weights)}


def test_a_true_manifest_holds(measure: Measure, pair: dict[str, FileBytes]) -> None:
    assert failing(measure(publish_manifest, pair)) == set()


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        ("digest_of_another_file", {"digest_equal"}),
        ("digest_in_capitals", {"digest_well_formed", "digest_equal"}),
        ("digest_cut_short", {"digest_well_formed", "digest_equal"}),
        ("digest_missing", {"digest_well_formed", "digest_equal"}),
        ("wrong_size", {"size_equal"}),
        ("plain_http", {"https"}),
        ("no_files", {"files", *VERDICTS}),
        ("unreadable", {"readable", "files", *VERDICTS}),
        ("flipped_bit", {"digest_equal"}),
        ("truncated", {"digest_equal", "size_equal"}),
    ],
)
def test_each_defect_is_seen_by_the_verdicts_that_can(
    measure: Measure, pair: dict[str, FileBytes], name: str, seen_by: set[str]
) -> None:
    assert failing(measure(publish_manifest, pair, name)) == seen_by


def test_every_counter_example_is_tried_above() -> None:
    marks = test_each_defect_is_seen_by_the_verdicts_that_can.pytestmark  # type: ignore[attr-defined]
    assert {name for name, _ in marks[0].args[1]} == set(publish_manifest.counter_examples)


@pytest.mark.parametrize(
    "url", ["https://", "https://host", "https:///file", "ftp://host/file", "https://[/file", 7, None]
)
def test_no_such_address_is_taken(measure: Measure, pair: dict[str, FileBytes], url: object) -> None:
    stated = json.loads(pair["manifest"].read(0, pair["manifest"].size).tobytes())
    stated["files"][0]["url"] = url
    text = json.dumps(stated).encode()
    changed = pair["manifest"].with_head(text, instead_of=pair["manifest"].size)
    assert failing(measure(publish_manifest, {**pair, "manifest": changed})) == {"https"}


@pytest.mark.parametrize("text", [b"", b"[]", b'{"files": {}}', b'{"files": [3]}', b"[" * 100_000, b"\xff{"])
def test_what_is_no_manifest_is_not_readable(
    measure: Measure, pair: dict[str, FileBytes], text: bytes
) -> None:
    changed = pair["manifest"].with_head(text, instead_of=pair["manifest"].size)
    assert measure(publish_manifest, {**pair, "manifest": changed})["readable"] == [0]


def test_true_is_no_size(measure: Measure, pair: dict[str, FileBytes]) -> None:
    stated = json.loads(pair["manifest"].read(0, pair["manifest"].size).tobytes())
    stated["files"][0]["size"] = True
    text = json.dumps(stated).encode()
    changed = pair["manifest"].with_head(text, instead_of=pair["manifest"].size)
    single = pair["artefact"].cut(1)
    run = measure(publish_manifest, {"manifest": changed, "artefact": single})
    assert run["size_equal"] == [0]
