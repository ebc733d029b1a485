from __future__ import annotations

import copy
import hashlib
import json
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from securesystemslib.dsse import Envelope

from pv.evidence import Record, read_record
from pv.evidence_transfer import carry
from pv.exits import Exit
from pv.reports.predicates import PREDICATES, TEST_RESULT, results_of_tests
from pv.signatures.keys import load_signer

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"
DIGESTS = {"type": "object", "minProperties": 1, "additionalProperties": {"type": "string"}}
DESCRIPTOR = {
    # https://github.com/in-toto/attestation/blob/main/spec/v1/resource_descriptor.md
    "type": "object",
    "additionalProperties": False,
    "properties": {
        **{key: {"type": "string"} for key in ("name", "uri", "downloadLocation", "mediaType", "content")},
        "digest": DIGESTS,
        "annotations": {"type": "object"},
    },
    "anyOf": [{"required": [key]} for key in ("uri", "digest", "content")],
}
NAMES = {"type": "array", "items": {"type": "string"}}
SHAPE = {
    # https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md, and the page of the predicate
    "type": "object",
    "additionalProperties": False,
    "required": ["_type", "subject", "predicateType", "predicate"],
    "properties": {
        "_type": {"const": "https://in-toto.io/Statement/v1"},
        "subject": {"type": "array", "minItems": 1, "items": {**DESCRIPTOR, "required": ["digest"]}},
        "predicateType": {"const": TEST_RESULT},
        "predicate": {
            "type": "object",
            "additionalProperties": False,
            "required": ["result", "configuration"],
            "properties": {
                "result": {"enum": ["PASSED", "WARNED", "FAILED"]},
                "configuration": {"type": "array", "items": DESCRIPTOR},
                "url": {"type": "string"},
                "passedTests": NAMES,
                "warnedTests": NAMES,
                "failedTests": NAMES,
            },
        },
    },
}


def test_a_statement_has_the_shape_of_the_specification(copied: Project) -> None:
    ended = copied.pv("evidence", "export", ID, "--predicate", "test-result", "-o", "out.jsonl", "--json")
    assert ended.json == {
        "output": "out.jsonl", "statements": 2, "results": {"PASSED": 2}, "refused": [],
    }  # fmt: skip
    lines = (copied.root / "out.jsonl").read_text(encoding="utf-8").splitlines()
    base, live = (json.loads(line) for line in lines)
    for statement in (base, live):
        jsonschema.validate(statement, SHAPE)
    pinned = copied.config().subjects["shipped"].sha256
    assert live["subject"] == [{"name": "shipped", "digest": {"sha256": pinned}}]
    assert live["predicate"]["passedTests"] == [f"small-v1#{ID} at live level on cpu"]
    assert base["subject"][0]["name"] == "stand-in"
    record = copied.record()
    assert live["predicate"]["configuration"][-1] == {
        "name": f"small-v1/{ID}/live-shipped-cpu.json",
        "digest": {"sha256": hashlib.sha256(record.read_bytes()).hexdigest()},
        "mediaType": "application/vnd.in-toto+json",
    }
    names = [one["name"] for one in live["predicate"]["configuration"]]
    assert names[:2] == [f"clause:small-v1#{ID}", "check:small_checks.wholeness:wholeness"]


def test_it_is_signed_by_a_key(copied: Project) -> None:
    copied.pv("evidence", "keygen", "key")
    ended = copied.pv("evidence", "export", "-o", "out.jsonl", "--key", "key")
    assert ended.out == "2 record(s), 2 statement(s): 2 PASSED: out.jsonl\n"
    public = load_signer(copied.root / "key").public_key
    for line in (copied.root / "out.jsonl").read_bytes().splitlines():
        envelope = Envelope.from_dict(json.loads(line))
        assert envelope.payload_type == "application/vnd.in-toto+json"
        assert set(envelope.verify([public], 1)) == {public.keyid}
        jsonschema.validate(json.loads(envelope.payload), SHAPE)


def test_what_does_not_verify_is_not_exported(copied: Project) -> None:
    path = copied.record()
    path.write_bytes(path.read_bytes().replace(b'"seed": 0', b'"seed": 1'))
    ended = copied.pv("evidence", "export", "-o", "out.jsonl")
    assert ended.code == Exit.REJECTED
    assert "section run was altered" in ended.err
    assert ended.out == "1 of 2 record(s) do not verify: nothing was written.\n"
    assert not (copied.root / "out.jsonl").exists()
    assert copied.pv("evidence", "export", copied.record("algorithm"), "-o", "none/out").code == Exit.USAGE


@pytest.mark.parametrize(
    ("changes", "result", "name"),
    [
        ({"verdict": {"outcome": "Fail"}}, "FAILED", "failedTests"),
        ({"counter_examples": {"one": {"caught": False}}}, "WARNED", "warnedTests"),
        ({"counter_examples": {"one": {"caught": True}}}, "PASSED", "passedTests"),
    ],
)
def test_results_are_told_apart(discharged: Project, changes: dict[str, Any], result: str, name: str) -> None:
    path = discharged.record()
    whole: Any = copy.deepcopy(read_record(path).statement)
    whole["predicate"] |= changes
    good, changed = (carry(path), read_record(path)), (carry(path), Record(path, whole))
    (statement,) = results_of_tests([good, changed])
    assert statement["predicate"]["result"] == result
    assert len(statement["predicate"][name]) == (2 if result == "PASSED" else 1)
    whole["predicate"]["subjects"] = {}
    (statement,) = results_of_tests([changed])
    assert statement["subject"][0]["name"] == "check:small_checks.wholeness:wholeness"
    jsonschema.validate(statement, SHAPE)


def test_the_registry_has_what_the_option_takes(discharged: Project) -> None:
    assert set(PREDICATES) == {"test-result"}
    assert discharged.pv("evidence", "export", "--predicate", "other", "-o", "x").code == Exit.USAGE
