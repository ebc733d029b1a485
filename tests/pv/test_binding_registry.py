from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pv.binding_registry import implementation_links, load_registry
from pv.contract import Contract
from pv.document import parse
from pv.errors import ContractError, DocumentError, SelectionError
from pv.finding import Finding
from pv.shape import build
from pv.traceability import Link

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"


def registry(tmp_path: Path, *entries: dict[str, Any], text: str | None = None) -> str:
    path = tmp_path / "binding.yaml"
    path.write_text(json.dumps({"bindings": entries}) if text is None else text, encoding="utf-8")
    return str(path)


def entry(equation: str, status: str, **more: str) -> dict[str, Any]:
    return {"contract": "softmax-v1.yaml", "equation": equation, "status": status, **more}


def contract(*equations: str) -> Contract:
    document = {
        "metadata": {"version": "1.0.0", "description": "d", "references": ["a book"]},
        "equations": {name: {"formula": "f"} for name in equations},
        "proof_obligations": [{"id": "A", "property": "p"}],
    }
    return build(parse(json.dumps(document), "contracts/softmax-v1.yaml"))


def followed(tmp_path: Path, *entries: dict[str, Any]) -> tuple[list[Link], list[Finding]]:
    listed = load_registry(registry(tmp_path, *entries))
    found = [*implementation_links(contract("softmax", "log"), listed)]
    return (
        [each for each in found if isinstance(each, Link)],
        [each for each in found if isinstance(each, Finding)],
    )


def test_what_is_implemented_is_declared_and_never_more(tmp_path: Path) -> None:
    links, findings = followed(
        tmp_path,
        entry("softmax", "implemented", module_path="nn::f", function="softmax"),
        entry("log", "implemented"),
    )
    assert findings == []
    assert [(link.start, link.end, link.strength) for link in links] == [
        ("softmax", "nn::f::softmax", "declared"),
        ("log", "", "declared"),
    ]


@pytest.mark.parametrize("name", ["llama3.2-v1", "llama3.2-v1.yaml", "contracts/llama3.2-v1.yml"])
def test_a_contract_is_named_with_its_ending_or_without(tmp_path: Path, name: str) -> None:
    listed = load_registry(registry(tmp_path, entry("softmax", "implemented") | {"contract": name}))
    assert [*listed.entries] == ["llama3.2-v1"]


def test_each_of_the_codes_stands_where_it_can_be_mended(tmp_path: Path) -> None:
    links, findings = followed(
        tmp_path,
        entry("softmax", "partial", notes="no  float16"),
        entry("softmax", "not_implemented"),
        entry("softmin", "implemented"),
    )
    assert [(found.code, found.severity, found.message) for found in findings] == [
        ("BIND-002", "warning", "softmax-v1: the equation softmax is implemented in part: no float16"),
        ("BIND-003", "warning", "softmax-v1: the equation softmax is not implemented"),
        ("BIND-001", "error", f"{tmp_path}/binding.yaml has no entry for the equation log"),
        ("PV-CHAIN-011", "error", "softmax-v1 has no equation softmin"),
    ]
    assert [Path(found.where.path).name for found in findings] == [
        "binding.yaml",
        "binding.yaml",
        "softmax-v1.yaml",
        "binding.yaml",
    ]
    assert [link.strength for link in links] == ["declared", "broken", "broken"]


def test_entries_of_other_contracts_are_theirs(tmp_path: Path) -> None:
    others = {"contract": "other-v1.yaml", "equation": "gone", "status": "implemented"}
    _, findings = followed(tmp_path, others)
    assert [found.code for found in findings] == ["BIND-001", "BIND-001"]


@pytest.mark.parametrize(
    ("text", "said", "line"),
    [
        ("metadata: {}", "bindings", 1),
        ("bindings: {}", "bindings", 1),
        ("bindings:\n- {contract: a, equation: b, status: done}", "bindings.0.status", 2),
        ("bindings:\n- {contract: a, equation: b}", "bindings.0.status", 2),
        ("- a", "the document", 1),
        ("bindings:\n- {contract: a, equation: 1, status: partial}", "bindings.0.equation", 2),
    ],
)
def test_what_is_no_registry_is_refused_with_its_place(
    tmp_path: Path, text: str, said: str, line: int
) -> None:
    with pytest.raises(ContractError, match="this is no binding registry") as caught:
        load_registry(registry(tmp_path, text=text))
    assert said in caught.value.what
    assert caught.value.where is not None
    assert caught.value.where.line == line


def test_a_file_that_is_not_there_or_no_yaml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SelectionError):
        load_registry(str(tmp_path / "gone.yaml"))
    with pytest.raises(DocumentError):
        load_registry(registry(tmp_path, text="a: [1"))


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the contracts written by others are not here")
def test_the_registry_of_others_is_read() -> None:
    listed = load_registry(str(CORPUS / "aprender" / "binding.yaml"))
    statuses = [each.status for entries in listed.entries.values() for each in entries]
    assert len(statuses) == 296  # its own comment says 284
    assert statuses.count("implemented") == 290
