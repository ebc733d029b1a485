from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml

from pv.exits import Exit
from tests.pv.conftest import CLAUSE, Project

CORPUS = Path(__file__).resolve().parents[4] / "shared" / "corpus"
CONTRACT = "contracts/small-v1.yaml"


@pytest.fixture
def whole(copied: Project) -> Project:
    """A project whose chain holds from end to end."""
    path = copied.contract(dict(CLAUSE) | {"covers": ["A"]})
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    document["equations"] = {"near": {"formula": "|x - round(x)| <= 1/4"}}
    document["proof_obligations"] = [{"id": "A", "type": "bound", "property": "near"}]
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return copied


def test_a_chain_that_holds_is_accepted_and_shown(whole: Project) -> None:
    ended = whole.pv("audit", CONTRACT)
    assert ended.code == Exit.ACCEPTED
    assert ended.out.splitlines() == [
        "A  verified",
        "    from       near",
        "    falsifier  FALSIFY-SMALL-001",
        "    check      small_checks.wholeness:wholeness  resolves",
        "    evidence   DISCHARGED  verified",
        "",
        "link                    links  broken  declared  resolves  executed  verified",
        "source → equation           1       -         1         -         -         -",
        "equation → obligation       1       -         1         -         -         -",
        "obligation → falsifier      1       -         -         1         -         -",
        "falsifier → check           1       -         -         1         -         -",
        "check → evidence            1       -         -         -         -         1",
        "",
        "1 obligation(s) in 1 contract(s): 1 verified",
        "0 error(s), 0 warning(s)",
    ]


def test_a_broken_link_has_its_place_its_code_and_its_remedy(whole: Project) -> None:
    whole.edit(CONTRACT, "  property: near", "  property: near\n  applies_to: nearly")
    ended = whole.pv("audit", "contracts")
    assert ended.code == Exit.REJECTED
    found = [line for line in ended.out.splitlines() if ": error[" in line or ": warning[" in line]
    assert [line.split(": ")[1] for line in found] == ["warning[PV-CHAIN-001]", "error[PV-CHAIN-002]"]
    assert found[1].startswith(f"{CONTRACT}:")
    assert "    Name an equation of the contract" in ended.out


def test_warnings_reject_only_if_that_is_asked_for(whole: Project) -> None:
    whole.edit(CONTRACT, "max(distance) <= 0.25", "max(distance) <= 0.26")
    ended = whole.pv("audit", "contracts")
    assert ended.code == Exit.ACCEPTED
    assert "warning[PV-CHAIN-007]: FALSIFY-SMALL-001: threshold max(distance) 0.25 → 0.26" in ended.out
    assert whole.pv("audit", "contracts", "--strict").code == Exit.REJECTED


def test_json_is_alone_and_has_every_link(whole: Project) -> None:
    document = whole.pv("audit", "contracts", "--json").json
    assert document["findings"] == []
    assert document["links"]["check → evidence"]["verified"] == 1
    (contract,) = document["contracts"]
    assert contract["contract"] == "small-v1"
    assert [link["kind"] for link in contract["links"]][-1] == "check → evidence"
    assert all(link["file"] == CONTRACT and link["line"] > 0 for link in contract["links"])
    (obligation,) = contract["obligations"]
    assert (obligation["id"], obligation["strength"]) == ("A", "verified")
    assert whole.pv("audit", "contracts", "--format", "json").json == document


def test_a_registry_declares_and_covers_nothing(whole: Project) -> None:
    registry = whole.root / "binding.yaml"
    head = "version: '1'\ntarget_crate: small\nbindings:"
    registry.write_text(f"{head}\n- {{contract: small-v1.yaml, equation: near, status: implemented}}\n")
    document = whole.pv("audit", "contracts", "--binding", "binding.yaml", "--json").json
    assert document["links"]["equation → implementation"] == dict.fromkeys(
        ("broken", "resolves", "executed", "verified"), 0
    ) | {"declared": 1}
    whole.edit(CONTRACT, "  - A\n", "  - B\n")
    document = whole.pv("audit", "contracts", "--binding", "binding.yaml", "--json").json
    assert document["contracts"][0]["obligations"][0]["strength"] == "broken"
    registry.write_text(f"{head} []\n")
    ended = whole.pv("audit", "contracts", "--binding", "binding.yaml")
    assert ended.code == Exit.REJECTED
    assert "error[BIND-001]" in ended.out
    registry.write_text("contracts: none\n")
    ended = whole.pv("audit", "contracts", "--binding", "binding.yaml")
    assert (ended.code, ended.out) == (Exit.REJECTED, "")
    assert "binding.yaml:1:1: error[SCHEMA-000]: this is no binding registry" in ended.err


def test_a_misshapen_registry_is_told_all_at_once(whole: Project) -> None:
    (whole.root / "binding.yaml").write_text("target_crate: 1\nbindings:\n- {contract: a, equation: b}\n")
    ended = whole.pv("audit", "contracts", "--binding", "binding.yaml")
    assert (ended.code, ended.out) == (Exit.REJECTED, "")
    told = [line for line in ended.err.splitlines() if "error[SCHEMA-000]" in line]
    assert told == [
        "binding.yaml:1:1: error[SCHEMA-000]: version is missing",
        "binding.yaml:1:15: error[SCHEMA-000]: target_crate: expected text, found a number",
        "binding.yaml:3:3: error[SCHEMA-000]: bindings[0]: status is missing",
    ]
    checked = whole.pv("validate", "binding.yaml")
    assert checked.code == Exit.REJECTED
    assert [line for line in checked.out.splitlines() if "error[SCHEMA-000]" in line] == told


def test_reports_hold_what_was_found(whole: Project) -> None:
    whole.edit(CONTRACT, "max(distance) <= 0.25", "max(distance) <= 0.26")
    words = ("--report", "sarif:a.sarif", "--report", "junit:a.xml")
    assert whole.pv("audit", "contracts", *words).code == Exit.ACCEPTED
    sarif = json.loads((whole.root / "a.sarif").read_text(encoding="utf-8"))
    assert [result["ruleId"] for result in sarif["runs"][0]["results"]] == ["PV-CHAIN-007"]
    assert ET.parse(whole.root / "a.xml").getroot().tag == "testsuites"  # noqa: S314  we wrote it


@pytest.mark.parametrize("words", [("gone.yaml",), ("empty",), ("data",)])
def test_what_names_nothing_audits_nothing(whole: Project, words: tuple[str, ...]) -> None:
    (whole.root / "empty").mkdir()
    ended = whole.pv("audit", *words)
    assert ended.code == Exit.USAGE
    assert ended.out == ""


def test_a_contract_that_claims_nothing_has_no_chain(whole: Project) -> None:
    path = whole.root / "contracts" / "small-v1.yaml"
    path.write_text("metadata: {version: '1', description: d, references: [a], kind: pattern}\n")
    ended = whole.pv("audit", "contracts")
    assert ended.code == Exit.USAGE
    assert "there is no chain to follow" in ended.err


def test_what_is_misshapen_is_a_finding_and_a_registry_is_no_contract(whole: Project) -> None:
    (whole.root / "contracts/bad-v1.yaml").write_text("metadata: {version: 1}\n")
    (whole.root / "contracts/worse-v1.yaml").write_text("a: [1\n")
    (whole.root / "contracts/binding.yaml").write_text("bindings: []\ntarget_crate: x\n")
    ended = whole.pv("audit", "contracts")
    assert ended.code == Exit.REJECTED
    assert "contracts/bad-v1.yaml:1:" in ended.out
    assert "contracts/worse-v1.yaml:" in ended.out
    assert "binding.yaml: note: this is a binding registry" in ended.err


def test_it_is_told_apart_from_the_audit_of_a_record(whole: Project) -> None:
    assert "`pv evidence audit`" in " ".join(whole.pv("audit", "--help").out.split())
