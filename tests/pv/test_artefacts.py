from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pv.artefacts import NOUNS, judge_artefact, recognise
from pv.contract import NotAContractError, ShapeError, load_contract
from pv.finding import Finding
from pv.schema_artefacts import STATUSES

ENTRY = {"contract": "a-v1.yaml", "equation": "e", "status": "implemented", "function": "f"}
REGISTRY: dict[str, Any] = {"version": "1.0.0", "target_crate": "small", "bindings": [ENTRY]}


def judged(folder: Path, value: Any) -> list[Finding] | None:
    path = folder / "artefact.yaml"
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    with pytest.raises(NotAContractError) as caught:
        load_contract(path)
    return judge_artefact(caught.value)


@pytest.mark.parametrize(
    ("value", "artefact"),
    [
        ({"bindings": None, "target_crate": None}, "binding registry"),
        ({"model_id": "a", "provenance": None}, "publish manifest"),
        ({"schema": "ont.paiml.dev/external-corpora/v1alpha1"}, "external-corpora declaration"),
        ({"schema": "ont-sigma-v1"}, "ontology"),
        ({"bindings": []}, None),
        ({"provenance": {}}, None),
        ({"schema": {"required_fields": []}}, None),
        ({"schema": "something else"}, None),
        ({}, None),
    ],
)
def test_it_is_the_shape_that_tells(value: dict[str, Any], artefact: str | None) -> None:
    assert recognise(value) == artefact


def test_with_metadata_anything_is_a_contract(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(json.dumps(REGISTRY | {"metadata": {}}), encoding="utf-8")
    with pytest.raises(ShapeError, match=r"version is missing"):
        load_contract(path)


@pytest.mark.parametrize("schema", ["ont-sigma-v1", "ont.paiml.dev/external-corpora/v1alpha1"])
def test_what_has_no_rules_is_neither_good_nor_bad(tmp_path: Path, schema: str) -> None:
    assert judged(tmp_path, {"schema": schema}) is None
    assert len(NOUNS) == 2


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_of_an_entry_is_taken(tmp_path: Path, status: str) -> None:
    assert judged(tmp_path, REGISTRY | {"bindings": [ENTRY | {"status": status}]}) == []


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("target_crate: x\nbindings: []\n", ["1:1"]),
        ("version: 1.0\ntarget_crate: x\nbindings: {}\n", ["1:10", "3:11"]),
        ("version: '1'\ntarget_crate: x\nbindings:\n- {contract: a, status: done}\n", ["4:3", "4:25"]),
        ("version: '1'\ntarget_crate: x\nbindings: [{contract: a, equation: e, status: partial, notes: 1}]\n",
         ["3:63"]),
        ("version: '1'\ntarget_crate:\nbindings:\n", ["2:14", "3:10"]),
    ],
)  # fmt: skip
def test_a_misshapen_registry_is_told_all_at_once(tmp_path: Path, text: str, where: list[str]) -> None:
    found = judged(tmp_path, text)
    assert found is not None
    assert [f"{one.where.line}:{one.where.column}" for one in found] == where
    assert {one.code for one in found} == {"SCHEMA-000"}
    assert all(one.message and one.remedy for one in found)


def test_unknown_keys_of_a_registry_are_kept(tmp_path: Path) -> None:
    assert judged(tmp_path, REGISTRY | {"owner": 1, "bindings": [ENTRY | {"since": "2026"}]}) == []
