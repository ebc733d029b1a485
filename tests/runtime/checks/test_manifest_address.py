from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.manifest_address import recipe_digest, served_file
from pv_runtime.formats import open_bytes

Series = dict[str, list[Any]]
Measure = Callable[..., Series]


@pytest.fixture
def published(tmp_path: Path) -> dict[str, Any]:
    data = b"weights " * 99
    (tmp_path / "model.bin").write_bytes(data)
    (tmp_path / "recipe.py").write_text("train()\n")
    entry = {"name": "model.bin", "url": "https://example.org/m/model.bin", "size": len(data)}
    recipe = hashlib.sha256(b"train()\n").hexdigest()
    said = {"files": [entry], "provenance": {"recipe": "models/recipe.py", "recipe_sha256": recipe}}
    (tmp_path / "m.json").write_text(json.dumps(said))
    names = {"manifest": "m.json", "artefact": "model.bin", "recipe": "recipe.py"}
    return {role: open_bytes(tmp_path / name) for role, name in names.items()}


def served(published: dict[str, Any]) -> dict[str, Any]:
    return {role: published[role] for role in ("manifest", "artefact")}


def made(published: dict[str, Any]) -> dict[str, Any]:
    return {role: published[role] for role in ("manifest", "recipe")}


def test_what_is_published_answers(measure: Measure, published: dict[str, Any]) -> None:
    run = measure(served_file, served(published))
    found = {"files": [1], "https": [1], "name_equal": [1], "status": [200], "length_equal": [1]}
    assert run == found


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        ("uploaded_in_part", {"length_equal"}),
        ("size_of_another_file", {"length_equal"}),
        ("moved_away", {"name_equal", "status", "length_equal"}),
        ("plain_http", {"https"}),
        ("no_files", {"files"}),
        ("says_no_length", {"length_equal"}),
    ],
)
def test_each_wrong_answer_is_seen(
    measure: Measure, published: dict[str, Any], name: str, seen_by: set[str]
) -> None:
    run = measure(served_file, served(published), name)
    sound = {"files": 1, "https": 1, "name_equal": 1, "status": 200, "length_equal": 1}
    assert {key for key, value in sound.items() if run.get(key, [value]) != [value]} == seen_by


def test_the_recipe_is_the_one_that_is_named(measure: Measure, published: dict[str, Any]) -> None:
    run = measure(recipe_digest, made(published))
    assert run == {"named": [1], "digest_equal": [1], "recipe_bytes": [8]}


@pytest.mark.parametrize("name", list(recipe_digest.counter_examples))
def test_another_recipe_is_seen(measure: Measure, published: dict[str, Any], name: str) -> None:
    run = measure(recipe_digest, made(published), name)
    assert [run["named"], run["digest_equal"]] != [[1], [1]]
