from __future__ import annotations

import json
from pathlib import Path

import pytest

from pv.contract import load_contract
from pv.rules import RULES, judge

RESOURCES = Path(__file__).parent / "resources"
UPSTREAM = [*(f"SCHEMA-{number:03}" for number in range(1, 14)), "PROVABILITY-001"]


def test_the_registry_has_each_code_once_and_all_of_the_rust_tool_to_013() -> None:
    assert all(rule.code == code for code, rule in RULES.items())
    assert set(UPSTREAM) <= RULES.keys()
    warnings = {code for code, rule in RULES.items() if rule.severity == "warning"}
    assert warnings == {"SCHEMA-006", "SCHEMA-009", "SCHEMA-012", "SCHEMA-013"}


def test_each_rule_has_its_two_files() -> None:
    files = {path.name for path in RESOURCES.iterdir()}
    assert files == {f"{code}.{word}.yaml" for code in RULES for word in ("bad", "good")}


@pytest.mark.parametrize("code", RULES)
def test_a_rule_finds_what_is_bad_where_it_is(code: str) -> None:
    path = RESOURCES / f"{code}.bad.yaml"
    expected = path.read_text(encoding="utf-8").splitlines()[0].removeprefix(f"# {code} at ").split()
    found = [finding for finding in judge(load_contract(path)) if finding.code == code]
    assert [f"{finding.where.line}:{finding.where.column}" for finding in found] == expected
    for finding in found:
        assert finding.where.path == str(path)
        assert finding.severity == RULES[code].severity
        assert finding.message
        assert finding.remedy == RULES[code].remedy


@pytest.mark.parametrize("code", RULES)
def test_a_rule_leaves_alone_what_is_good(code: str) -> None:
    findings = judge(load_contract(RESOURCES / f"{code}.good.yaml"))
    assert code not in {finding.code for finding in findings}


def test_findings_are_sorted_by_place() -> None:
    for path in sorted(RESOURCES.glob("*.bad.yaml")):
        findings = judge(load_contract(path))
        assert findings == sorted(findings, key=lambda finding: (finding.where, finding.code))
        assert findings


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
