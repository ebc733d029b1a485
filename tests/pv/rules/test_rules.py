from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pv.artefacts import judge_artefact
from pv.contract import NotAContractError, load_contract
from pv.project import Project as Surroundings
from pv.rules import RULES, judge, needs_project
from pv.rules.artefact_rules import ARTEFACT_RULES
from pv.rules.kind_rules import KIND_RULES
from pv.rules.project_rules import PROJECT_RULES, judge_in_project
from pv.rules.rule import uses_our_fields

if TYPE_CHECKING:
    from pv.finding import Finding
    from tests.pv.conftest import Project

RESOURCES = Path(__file__).parent / "resources"
UPSTREAM = [*(f"SCHEMA-{number:03}" for number in range(1, 14)), "PROVABILITY-001"]
ONE = RULES | KIND_RULES
"""Those that look at one contract and nothing else."""
ALL = ONE | PROJECT_RULES | ARTEFACT_RULES
FIELDS = {
    "schema": {
        "required_fields": ["license", "artifact_url"],
        "provenance_required_fields": ["pipeline", "recipe"],
    }
}
WARNINGS = {"SCHEMA-006", "SCHEMA-009", "SCHEMA-012", "SCHEMA-013"}
"""Those of the Rust tool; it raises the rest as errors."""


def test_the_registry_has_each_code_once_and_all_of_the_rust_tool_to_013() -> None:
    assert len(ALL) == sum(len(rules) for rules in (RULES, KIND_RULES, PROJECT_RULES, ARTEFACT_RULES))
    assert all(rule.code == code for code, rule in ALL.items())
    assert set(UPSTREAM) <= RULES.keys()
    assert {code for code in UPSTREAM if RULES[code].severity == "warning"} == WARNINGS


def test_each_rule_has_its_two_files() -> None:
    names = {path.name for path in RESOURCES.iterdir()}
    beside = {name for name in names if name.endswith((".other.yaml", ".recorded.yaml"))}
    assert names - beside == {f"{code}.{word}.yaml" for code in ALL for word in ("bad", "good")}
    assert {name.split(".")[0] for name in beside} <= PROJECT_RULES.keys()


def expected(path: Path, code: str) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()[0].removeprefix(f"# {code} at ").split()


def assert_found(found: list[Finding], code: str, path: Path, where: str) -> None:
    assert [f"{finding.where.line}:{finding.where.column}" for finding in found] == expected(path, code)
    for finding in found:
        assert finding.where.path == where
        assert finding.severity == ALL[code].severity
        assert finding.message
        assert finding.remedy


@pytest.mark.parametrize("code", ONE)
def test_a_rule_finds_what_is_bad_where_it_is(code: str) -> None:
    path = RESOURCES / f"{code}.bad.yaml"
    found = [finding for finding in judge(load_contract(path)) if finding.code == code]
    assert_found(found, code, path, str(path))


@pytest.mark.parametrize("code", ONE)
def test_a_rule_leaves_alone_what_is_good(code: str) -> None:
    findings = judge(load_contract(RESOURCES / f"{code}.good.yaml"))
    assert code not in {finding.code for finding in findings}


def of_artefact(tmp_path: Path, code: str, word: str) -> tuple[Path, list[Finding]]:
    """Judge ``CODE.word.yaml``, beside the list of what a manifest must hold unless that is what is bad."""
    if (code, word) != ("PM-SHAPE-000", "bad"):
        (tmp_path / "publish-manifest-v1.yaml").write_text(json.dumps(FIELDS), encoding="utf-8")
    path = tmp_path / "artefact.yaml"
    path.write_bytes((RESOURCES / f"{code}.{word}.yaml").read_bytes())
    with pytest.raises(NotAContractError) as caught:
        load_contract(path)
    found = judge_artefact(caught.value)
    assert found is not None
    return path, found


@pytest.mark.parametrize("code", ARTEFACT_RULES)
def test_a_rule_of_artefacts_finds_what_is_bad_where_it_is(code: str, tmp_path: Path) -> None:
    path, findings = of_artefact(tmp_path, code, "bad")
    assert_found(findings, code, RESOURCES / f"{code}.bad.yaml", str(path))


@pytest.mark.parametrize("code", ARTEFACT_RULES)
def test_a_rule_of_artefacts_leaves_alone_what_is_good(code: str, tmp_path: Path) -> None:
    assert of_artefact(tmp_path, code, "good")[1] == []


def within_a_project(project: Project, code: str, word: str) -> tuple[Path, list[Finding]]:
    """Judge ``CODE.word.yaml`` in a project.

    Another contract may stand beside it (``.other``; of PV-ID-002, under the name of the bad one), and
    evidence may have been recorded for the same name (``.recorded``) before.
    """
    path = project.root / "contracts" / f"{word}-v1.yaml"
    path.parent.joinpath("small-v1.yaml").unlink()
    other, recorded = (RESOURCES / f"{code}.{beside}.yaml" for beside in ("other", "recorded"))
    if other.is_file():
        beside = path.parent / "elsewhere" / ("bad-v1.yaml" if code == "PV-ID-002" else "other-v1.yaml")
        beside.parent.mkdir()
        beside.write_bytes(other.read_bytes())
    if recorded.is_file():
        path.write_bytes(recorded.read_bytes())
        assert project.pv("discharge", path).code == 0
    path.write_bytes((RESOURCES / f"{code}.{word}.yaml").read_bytes())
    contract = load_contract(path)
    found = judge_in_project(contract, Surroundings(path.parent))
    assert needs_project(contract) or not found or code == "PV-ID-002"
    return path, found


@pytest.mark.parametrize("code", PROJECT_RULES)
def test_a_project_rule_finds_what_is_bad_where_it_is(code: str, project: Project) -> None:
    path, findings = within_a_project(project, code, "bad")
    found = [finding for finding in findings if finding.code == code]
    assert_found(found, code, RESOURCES / f"{code}.bad.yaml", str(path))
    assert all(finding.code == code for finding in findings if finding.severity == "error")


@pytest.mark.parametrize("code", PROJECT_RULES)
def test_a_project_rule_leaves_alone_what_is_good(code: str, project: Project) -> None:
    assert within_a_project(project, code, "good")[1] == []


def test_findings_are_sorted_by_place() -> None:
    for code in ONE:
        findings = judge(load_contract(RESOURCES / f"{code}.bad.yaml"))
        assert findings == sorted(findings, key=lambda finding: (finding.where, finding.code))
        assert findings


@pytest.mark.parametrize(
    "field",
    [
        "check: a.b:c",
        "pytest: 'tests/test_a.py::test_a'",
        "command: ['true']",
        "basis: {x: {falsifier: A, metric: m}}",
        "expect: [m == 1]",
        "subjects: {live: {a: b}}",
    ],
)
def test_what_our_fields_are(tmp_path: Path, field: str) -> None:
    path = tmp_path / "a.yaml"
    text = 'metadata: {version: "1", description: x}\nfalsification_tests: [{id: A, %s}]\n'
    path.write_text(text % "command: prose, covers: []", encoding="utf-8")
    assert not uses_our_fields(load_contract(path))
    path.write_text(text % field, encoding="utf-8")
    assert uses_our_fields(load_contract(path))
    assert needs_project(load_contract(path))


@pytest.mark.parametrize(
    ("code", "severity"),
    [
        ("PV-COVER-001", None),
        ("PV-COVER-002", "warning"),
        ("PV-ID-003", "warning"),
        ("PV-REF-001", "warning"),
        ("PV-STATE-001", "warning"),
        ("PV-STATUS-001", "warning"),
        ("PV-STATUS-003", "warning"),
        ("PV-BLOCK-001", "error"),
        ("PV-HYPOTHESIS-001", "error"),
    ],
)
def test_in_contracts_of_another_tool_it_weighs_less(
    code: str, severity: str | None, project: Project
) -> None:
    text = (RESOURCES / f"{code}.bad.yaml").read_text(encoding="utf-8")
    start, end = text.index("  check: "), text.index("  counter_examples: ")
    path = project.root / "contracts" / "theirs-v1.yaml"
    path.write_text(text[:start] + text[end:], encoding="utf-8")
    contract = load_contract(path)
    assert not uses_our_fields(contract)
    findings = [*judge(contract), *judge_in_project(contract, Surroundings(path.parent))]
    assert {finding.severity for finding in findings if finding.code == code} == ({severity} - {None})
    assert needs_project(contract) == (code in PROJECT_RULES)


@pytest.mark.parametrize("kind", ["", "  kind: kernel\n"])
def test_a_kernel_by_default_is_told_so(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f'metadata:\n  version: "1"\n  description: x\n{kind}', encoding="utf-8")
    messages = [
        finding.message for finding in judge(load_contract(path)) if finding.code == "PROVABILITY-001"
    ]
    assert len(messages) == 3
    assert all(("judged kernel by default" in message) == (not kind) for message in messages)


def test_repetitions_on_one_line_are_found(tmp_path: Path) -> None:
    twice = {"id": "FALSIFY-A-1", "obligation": "x", "formal": "f(x) = x"}
    sections = ("proof_obligations", "falsification_tests", "kani_harnesses")
    contract = {"metadata": {"version": "1", "description": "x"}} | {
        name: [twice, twice] for name in sections
    }
    path = tmp_path / "a.yaml"
    path.write_text(json.dumps(contract), encoding="utf-8")
    codes = [finding.code for finding in judge(load_contract(path))]
    assert [codes.count(code) for code in ("SCHEMA-006", "SCHEMA-007", "SCHEMA-010")] == [1, 1, 1]


DRAWN = {
    "type": "bound",
    "subject": "small_checks.wholeness:wholeness",
    "inputs": {"x": {"integers": [0, None]}},
    "low": 0,
}
WHOLE = {**DRAWN, "inputs": {"x": {"integers": [0, 9]}}}


@pytest.mark.parametrize(
    ("obligation", "falsifier", "shown"),
    [
        ({}, {}, False),
        ({}, {"counter_examples": ["one_half"]}, False),
        ({}, {"check": "small_checks.wholeness:wholeness", "counter_examples": ["one_half"]}, True),
        ({}, {"check": "small_checks.wholeness:wholeness"}, True),
        ({}, {"check": "small_checks.wholeness:wholeness", "counter_examples": []}, False),
        ({}, {"check": "small_checks.broken:no_plants"}, False),
        ({}, {"check": "small_checks.gone:gone"}, False),
        ({}, {"check": "small_checks.wholeness:wholeness", "excluded": "no such machine"}, False),
        ({}, {"command": ["true"], "counter_examples": {"other": {"arguments": ["1"]}}}, True),
        ({}, {"command": ["true"]}, False),
        ({"exhaustive": True}, {"check": "small_checks.broken:no_plants", "covers": ["O"]}, True),
        ({"exhaustive": True}, {"covers": ["O"]}, False),
        # Of a property, the word is not taken: it follows from the domain, and from what is proved.
        ({"exhaustive": True}, {"covers": ["O"], "property": DRAWN, "counter_examples": []}, False),
        ({}, {"property": DRAWN}, True),
        ({}, {"property": WHOLE, "counter_examples": []}, True),
        ({}, {"property": {**DRAWN, "prove": True}, "counter_examples": []}, True),
        ({}, {"property": {**WHOLE, "ensures": ["y > 0"]}, "counter_examples": []}, False),
        ({"lean": {"theorem": "T", "status": "proved"}}, {}, True),
        ({"lean": {"theorem": "T", "status": "sorry"}}, {}, False),
    ],
)
def test_what_stands_in_the_place_of_a_kani_harness(
    project: Project, obligation: dict[str, object], falsifier: dict[str, object], shown: bool
) -> None:
    document = {
        "metadata": {"version": "1", "description": "x", "references": ["y"]},
        "proof_obligations": [{"id": "O", "property": "p"} | obligation],
        "falsification_tests": [{"id": "A", "rule": "r", "prediction": "p"} | falsifier],
    }
    path = project.root / "contracts" / "kernel-v1.yaml"
    path.write_text(json.dumps(document), encoding="utf-8")
    messages = [f.message for f in judge(load_contract(path)) if f.code == "PROVABILITY-001"]
    assert (messages == []) is shown
    assert all("kani_harnesses" in message for message in messages)


def test_of_many_names_that_are_wrong_some_are_told_what_was_meant(tmp_path: Path) -> None:
    count = 500
    path = tmp_path / "many-v1.yaml"
    path.write_text(
        "metadata: {version: '1', description: d, references: [a], kind: pattern}\nproof_obligations:\n"
        + "".join(f"- {{id: OBL-{number:05}, property: p}}\n" for number in range(count))
        + "falsification_tests:\n- id: A\n  rule: r\n  prediction: p\n  if_fails: f\n  covers:\n"
        + "".join(f"  - ABL-{number:05}\n" for number in range(count)),
        encoding="utf-8",
    )
    found = [one.message for one in judge(load_contract(path)) if one.code == "PV-COVER-002"]
    assert len(found) == count
    assert found[0].endswith("; did you mean OBL-00000?")
    assert found[-1] == f"A: the contract has no obligation ABL-{count - 1:05}"
