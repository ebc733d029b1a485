from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pv.errors import Location
from pv.exits import Exit
from pv.finding import Finding
from pv.reports.formats import sarif
from pv.reports.model import Report, Result

SCHEMA = json.loads((Path(__file__).parent / "resources" / "sarif.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
WHERE = Location("contracts/c-v1.yaml", 3, 5)
FINDING = Finding(WHERE, "SCHEMA-001", "error", "id X is defined at line 7 already", "rename it")
RESULT = Result(address="c-v1#F-1", where=WHERE, rule="it is so", outcome="Fail", message="off")
REPORT = Report(command="validate", version="1", ended=Exit.REJECTED)


def run(report: Report) -> Any:
    """Return the one run of the log."""
    (found,) = json.loads(sarif.write(report))["runs"]
    return found


def fingerprints(*findings: Finding) -> list[str]:
    report = dataclasses.replace(REPORT, findings=findings)
    return [result["partialFingerprints"][sarif.FINGERPRINT] for result in run(report)["results"]]


def moved(finding: Finding, line: int) -> Finding:
    return dataclasses.replace(finding, where=dataclasses.replace(finding.where, line=line))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_log_is_as_the_standard_says(reports: SearchStrategy[Report], data: st.DataObject) -> None:
    report = data.draw(reports)
    log = json.loads(sarif.write(report))
    VALIDATOR.validate(log)
    (one,) = log["runs"]
    told = [result for result in report.results if result.grade not in {"passed", "noted"} or result.attempts]
    assert len(one["results"]) == len(told) + len(report.findings)
    rules = [rule["id"] for rule in one["tool"]["driver"]["rules"]]
    assert len(set(rules)) == len(rules)
    for result in one["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
    keys = [result["partialFingerprints"][sarif.FINGERPRINT] for result in one["results"]]
    assert len(set(keys)) == len(keys)


def test_a_finding_is_at_its_line() -> None:
    (result,) = run(dataclasses.replace(REPORT, findings=(FINDING,)))["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place == {
        "artifactLocation": {"uri": "contracts/c-v1.yaml"},
        "region": {"startLine": 3, "startColumn": 5},
    }
    assert (result["ruleId"], result["level"]) == ("SCHEMA-001", "error")
    assert result["message"]["text"] == "id X is defined at line 7 already\nrename it"


def test_a_fingerprint_survives_lines_that_move() -> None:
    later = dataclasses.replace(moved(FINDING, 90), message=FINDING.message.replace("line 7", "line 94"))
    assert fingerprints(FINDING) == fingerprints(later)
    # What stands above is new, and what was there stays the same.
    other = dataclasses.replace(FINDING, code="SCHEMA-002")
    assert fingerprints(other, later)[1] == fingerprints(FINDING)[0]


@pytest.mark.parametrize(
    "changes",
    [{"code": "SCHEMA-002"}, {"message": "another"}, {"where": Location("contracts/d-v1.yaml", 3, 5)}],
    ids=lambda changes: next(iter(changes)),
)
def test_a_fingerprint_tells_findings_apart(changes: dict[str, Any]) -> None:
    assert fingerprints(FINDING) != fingerprints(dataclasses.replace(FINDING, **changes))


def test_twins_have_fingerprints_of_their_own_by_their_order() -> None:
    first, second = fingerprints(FINDING, moved(FINDING, 5))
    assert first != second
    assert [first, second] == fingerprints(moved(FINDING, 50), moved(FINDING, 60))


def test_a_failed_falsifier_is_at_its_place_and_keeps_its_fingerprint_when_its_message_changes() -> None:
    logs = [
        run(dataclasses.replace(REPORT, results=(dataclasses.replace(RESULT, message=message),)))["results"][
            0
        ]
        for message in ("0.3 against 0.25", "0.4 against 0.25")
    ]
    assert [(log["ruleId"], log["level"]) for log in logs] == [("FAIL", "error")] * 2
    assert logs[0]["partialFingerprints"] == logs[1]["partialFingerprints"]
    assert "suppressions" not in logs[0]


def test_a_waived_failure_is_suppressed_and_a_pass_is_left_out() -> None:
    waived = dataclasses.replace(RESULT, waived="WAIVED until 2100-01-01: known")
    passed = dataclasses.replace(RESULT, outcome="Pass")
    (result,) = run(dataclasses.replace(REPORT, results=(waived, passed)))["results"]
    assert result["suppressions"] == [
        {"kind": "external", "status": "accepted", "justification": "WAIVED until 2100-01-01: known"}
    ]


def test_a_command_that_broke_says_so() -> None:
    (told,) = run(dataclasses.replace(REPORT, ended=Exit.ERROR, error="no space left"))["invocations"]
    assert told == {
        "executionSuccessful": False,
        "exitCode": 4,
        "toolExecutionNotifications": [{"level": "error", "message": {"text": "no space left"}}],
    }


@pytest.mark.parametrize("name", [b"a b/c#d?.yaml", b"a:b.yaml", b"\xff\xfe.yaml", b"\xcf\x80.yaml"])
def test_any_name_of_a_file_comes_back_from_its_uri(name: bytes) -> None:
    finding = dataclasses.replace(FINDING, where=Location(os.fsdecode(name), 1, 1))
    (result,) = run(dataclasses.replace(REPORT, findings=(finding,)))["results"]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert unquote_to_bytes(uri) == name
