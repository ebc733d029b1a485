from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pv.artefacts import judge_artefact
from pv.binding_registry import implementation_links, load_registry
from pv.contract import Contract, NotAContractError, ShapeError, load_contract
from pv.document import load, parse
from pv.errors import ContractError, DocumentError, SelectionError
from pv.finding import Finding
from pv.schema_artefacts import STATUSES
from pv.shape import build
from pv.traceability import Link

HEAD = "version: '1'\ntarget_crate: small\nbindings:"
KNOWN = "'implemented', 'partial', 'not_implemented' or 'pending'"
TESTS = Path(__file__).resolve().parents[1]
REGISTRIES = sorted(
    (*TESTS.glob("compatibility/resources/binding*.yaml"), *TESTS.glob("pv/rules/resources/BINDING-*.yaml"))
)
CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"


def registry(tmp_path: Path, *entries: dict[str, Any], text: str | None = None) -> str:
    path = tmp_path / "binding.yaml"
    stated = {"version": "1.0.0", "target_crate": "small", "bindings": entries}
    path.write_text(json.dumps(stated) if text is None else text, encoding="utf-8")
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
        entry("softmax", "pending", module_path="nn::f", function="softmax"),
        entry("softmin", "implemented"),
    )
    assert [(found.code, found.severity, found.message) for found in findings] == [
        ("BIND-002", "warning", "softmax-v1: the equation softmax is implemented in part: no float16"),
        ("BIND-003", "warning", "softmax-v1: the equation softmax is not implemented"),
        ("BIND-004", "warning", "softmax-v1: the equation softmax is planned and not begun"),
        ("BIND-001", "error", f"{tmp_path}/binding.yaml has no entry for the equation log"),
        ("PV-CHAIN-011", "error", "softmax-v1 has no equation softmin"),
    ]
    assert [Path(found.where.path).name for found in findings] == [
        *["binding.yaml"] * 3,
        "softmax-v1.yaml",
        "binding.yaml",
    ]
    assert [(link.end, link.strength) for link in links] == [("", "declared"), *[("", "broken")] * 3]


@pytest.mark.parametrize("status", STATUSES)
def test_only_what_is_implemented_whole_is_passed_over_in_silence(tmp_path: Path, status: str) -> None:
    _, findings = followed(tmp_path, entry("softmax", status), entry("log", "implemented"))
    assert [found.code[:-1] for found in findings] == ([] if status == "implemented" else ["BIND-00"])
    assert len({found.code for found in findings}) == len(findings)


def test_entries_of_other_contracts_are_theirs(tmp_path: Path) -> None:
    others = {"contract": "other-v1.yaml", "equation": "gone", "status": "implemented"}
    _, findings = followed(tmp_path, others)
    assert [found.code for found in findings] == ["BIND-001", "BIND-001"]


@pytest.mark.parametrize("named", ["softmax-v1", "softmax-v1.yaml", "softmax-v1.yml", "deep/softmax-v1.yaml"])
def test_a_contract_is_meant_with_its_ending_or_without(tmp_path: Path, named: str) -> None:
    found = [entry(equation, "implemented") | {"contract": named} for equation in ("softmax", "log")]
    assert followed(tmp_path, *found)[1] == []


def test_a_dot_in_a_contracts_name_is_no_ending(tmp_path: Path) -> None:
    listed = load_registry(registry(tmp_path, entry("e", "implemented") | {"contract": "softmax-v1.2"}))
    assert [*listed.entries] == ["softmax-v1.2"]


@pytest.mark.parametrize("text", ["metadata: {}", "bindings: []", "target_crate: small", "- a", "a"])
def test_what_is_no_registry_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ContractError, match="this is no binding registry") as caught:
        load_registry(registry(tmp_path, text=text))
    assert str(caught.value.where) == f"{tmp_path}/binding.yaml:1:1"


def validated(path: str) -> list[Finding]:
    """Return what ``pv validate`` says of the file."""
    with pytest.raises(NotAContractError) as caught:
        load_contract(path)
    return judge_artefact(caught.value) or []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "target_crate: x\nbindings: {}",
            ["1:1 version is missing", "2:11 bindings: expected a list, found a mapping"],
        ),
        (
            f"{HEAD}\n- {{contract: a, equation: b, status: done}}",
            [f"4:38 bindings[0].status: 'done' is not one of {KNOWN}"],
        ),
        (f"{HEAD}\n- {{contract: a, equation: b}}", ["4:3 bindings[0]: status is missing"]),
        (
            f"{HEAD}\n- {{contract: a, equation: 1, status: partial}}",
            ["4:27 bindings[0].equation: expected text, found a number"],
        ),
        (
            f"{HEAD}\n- {{contract: a, equation: b, status: partial, signature: 1}}",
            ["4:58 bindings[0].signature: expected text, found a number"],
        ),
        (
            f"{HEAD}\n- {{status: partial, notes: 2}}\n- 3",
            [
                "4:3 bindings[0]: contract is missing",
                "4:3 bindings[0]: equation is missing",
                "4:28 bindings[0].notes: expected text, found a number",
                "5:3 bindings[1]: expected a mapping, found a number",
            ],
        ),
    ],
)
def test_a_misshapen_registry_is_refused_in_the_words_of_validate(
    tmp_path: Path, text: str, said: list[str]
) -> None:
    path = registry(tmp_path, text=text)
    with pytest.raises(ShapeError) as caught:
        load_registry(path)
    assert [*caught.value.findings] == validated(path)
    assert [f"{each.where.line}:{each.where.column} {each.message}" for each in caught.value.findings] == said


@pytest.mark.parametrize("path", REGISTRIES, ids=lambda path: path.name)
def test_what_validate_takes_for_a_registry_is_read(path: Path) -> None:
    misshapen = [found for found in validated(str(path)) if found.code == "SCHEMA-000"]
    if misshapen:
        with pytest.raises(ShapeError) as caught:
            load_registry(str(path))
        assert [*caught.value.findings] == misshapen
    else:
        entries = load_registry(str(path)).entries.values()
        assert sum(map(len, entries)) == len(load(path).value["bindings"])


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
