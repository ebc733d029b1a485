from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.manifest_statements import fields_emptied, spdx_licences, stated_fields
from pv_runtime.formats import FileBytes, open_bytes

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
DIGEST = "0123456789abcdef" * 4
SOUND: dict[str, Any] = {
    "model_id": "example/m",
    "version": "1.0.0",
    "architecture": "qwen2",
    "format": "gguf",
    "quantization": "q4_k",
    "files": [{"name": "m.gguf", "url": "https://example.org/m.gguf", "size": 3, "sha256": DIGEST}],
    "license": "MIT",
    "published_at": "2026-11-29T00:00:00Z",
    "published_by": "somebody",
    "provenance": {
        "pipeline": "quantisation",
        "parents": [{"model_id": "example/root", "sha256": DIGEST, "license": "Apache-2.0"}],
        "data_source": "books",
        "data_license": "CC-BY-4.0",
        "recipe": "recipe.py",
        "recipe_sha256": DIGEST,
    },
}


def written(folder: Path, said: object) -> FileBytes:
    (folder / "m.json").write_text(json.dumps(said), encoding="utf-8")
    return open_bytes(folder / "m.json")


def test_a_sound_manifest_has_nothing_wrong(measure: Measure, tmp_path: Path) -> None:
    manifest = written(tmp_path, SOUND)
    run = measure(stated_fields, {"manifest": manifest})
    assert (run["readable"], run["fields"], run["wrong"]) == ([1], [15], [0] * 15)
    assert measure(spdx_licences, {"manifest": manifest}) == {"expected": [3], "not_spdx": [0, 0, 0]}


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("no_publisher", 1),
        ("no_provenance", 6),
        ("data_source_null", 1),
        ("version_in_words", 1),
        ("time_without_a_zone", 1),
        ("size_as_text", 1),
        ("no_json", 15),
    ],
)
def test_each_wrong_field_is_counted(measure: Measure, tmp_path: Path, name: str, wrong: int) -> None:
    assert sum(measure(stated_fields, {"manifest": written(tmp_path, SOUND)}, name)["wrong"]) == wrong


def test_every_defect_is_tried_above() -> None:
    marks = test_each_wrong_field_is_counted.pytestmark  # type: ignore[attr-defined]
    assert {name for name, _ in marks[0].args[1]} == set(stated_fields.counter_examples)


@pytest.mark.parametrize("amount", [1, 3])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_as_many_fields_are_emptied_as_asked(
    measure: Measure, tmp_path: Path, amount: int, place: int
) -> None:
    manifest = fields_emptied(written(tmp_path, SOUND), amount, place)
    assert sum(measure(stated_fields, {"manifest": manifest})["wrong"]) == amount


@pytest.mark.parametrize("name", list(spdx_licences.counter_examples))
def test_what_is_no_licence_is_seen(measure: Measure, tmp_path: Path, name: str) -> None:
    run = measure(spdx_licences, {"manifest": written(tmp_path, SOUND)}, name)
    assert sum(run["not_spdx"]) == 1 or run["expected"] != [len(run["not_spdx"])]


@pytest.mark.parametrize("said", [[], {"format": []}, {"provenance": "none"}, {"files": [3]}])
def test_what_is_no_manifest_is_wrong_and_no_error(measure: Measure, tmp_path: Path, said: object) -> None:
    assert sum(measure(stated_fields, {"manifest": written(tmp_path, said)})["wrong"]) == 15
