from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pv.document import Document, load
from pv.publish_manifest import SCHEMA, Fields, fields_of, lacking, places_of_schema

LISTED = {"schema": {"required_fields": ["license"], "provenance_required_fields": ["recipe"]}}


def manifest(folder: Path) -> Document:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "manifest.yaml"
    path.write_text("model_id: a\nprovenance: {}\n", encoding="utf-8")
    return load(path)


@pytest.mark.parametrize(("deep", "found"), [("", True), ("a", True), ("a/b", True), ("a/b/c", False)])
def test_the_list_is_looked_for_in_three_folders(tmp_path: Path, deep: str, found: bool) -> None:
    (tmp_path / SCHEMA).write_text(json.dumps(LISTED), encoding="utf-8")
    fields, complaint = fields_of(manifest(tmp_path / deep))
    assert fields == (Fields(("license",), ("recipe",)) if found else Fields())
    assert complaint == ("" if found else f"there is no {SCHEMA}, which says what a manifest must hold")


def test_the_nearest_list_counts(tmp_path: Path) -> None:
    (tmp_path / SCHEMA).write_text(json.dumps(LISTED), encoding="utf-8")
    near = manifest(tmp_path / "a")
    (tmp_path / "a" / SCHEMA).write_text("schema: {required_fields: [version]}", encoding="utf-8")
    assert fields_of(near) == (Fields(("version",)), "")


def test_a_path_that_is_relative_has_folders_above_it_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    places = places_of_schema(Path("manifest.yaml"))
    assert [place.absolute() for place in places] == [
        folder / SCHEMA for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "a: [",
        "- a",
        "schema:",
        "schema: []",
        "schema: {required_fields: license}",
        "schema: {required_fields: [1]}",
    ],
)
def test_a_list_that_cannot_be_read_is_a_complaint_and_never_an_empty_list(tmp_path: Path, text: str) -> None:
    (tmp_path / SCHEMA).write_text(text, encoding="utf-8")
    fields, complaint = fields_of(manifest(tmp_path))
    assert fields == Fields()
    assert complaint


@pytest.mark.parametrize(
    ("value", "why"),
    [(None, "empty"), ("", "empty"), (" \t", "empty"), (0, ""), (False, ""), ([], ""), ("x", "")],
)
def test_what_is_lacking(value: Any, why: str) -> None:
    assert list(lacking({"a": value}, ("a",))) == ([("a", why)] if why else [])
    assert list(lacking({}, ("a", "b"))) == [("a", "missing"), ("b", "missing")]
