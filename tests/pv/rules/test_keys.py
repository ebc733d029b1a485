from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pv.contract import load_contract
from pv.finding import Finding
from pv.rules import judge
from pv.rules.keys import _SAID, known_keys, misspelt

METADATA = {"version": "1.0.0", "description": "x", "references": ["y"], "kind": "pattern"}


def findings(folder: Path, code: str, **blocks: Any) -> list[Finding]:
    path = folder / "a-v1.yaml"
    path.write_text(json.dumps({"metadata": METADATA} | blocks), encoding="utf-8")
    return [finding for finding in judge(load_contract(path)) if finding.code == code]


def falsifier(**keys: Any) -> list[dict[str, Any]]:
    return [{"id": "FALSIFY-A-1", "rule": "r", "prediction": "p", "if_fails": "f"} | keys]


@pytest.mark.parametrize("block", ["contract", "metadata", "obligation", "falsifier"])
def test_words_for_people_are_neither_read_nor_slips(block: Any) -> None:
    assert not _SAID[block] & known_keys(block)
    assert list(misspelt(dict.fromkeys([*_SAID[block], *known_keys(block), "unheard_of"]), block)) == []


def test_every_spelling_is_known() -> None:
    assert {"description", "expected", "command", "fails_if"} <= known_keys("falsifier")
    assert {"statement", "verification"} <= known_keys("obligation")
    assert "statement" not in known_keys("metadata")


def test_a_slip_weighs_as_the_contract_does(tmp_path: Path) -> None:
    (theirs,) = findings(tmp_path, "PV-KEY-001", falsification_tests=falsifier(alises=[]))
    (ours,) = findings(tmp_path, "PV-KEY-001", falsification_tests=falsifier(alises=[], expect=["m == 1"]))
    assert (theirs.severity, ours.severity) == ("warning", "error")
    assert "did you mean aliases?" in ours.message


def test_a_block_is_misspelt_for_good_in_any_contract(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, "SCHEMA-019", falsification_test=falsifier())
    assert found.severity == "error"
    assert "did you mean falsification_tests?" in found.message
    # One finding for one block.
    assert not findings(tmp_path, "PV-DROPPED-001", falsification_test=falsifier())


@pytest.mark.parametrize(
    ("name", "block"),
    [
        ("falsification", [{"id": "F-1"}]),
        ("gates", {"GATE-A-1": "x >= 3"}),
        ("invariants", ["x is finite"]),
        ("rows", [{"name": "a", "falsifier": "x is lost"}]),
        ("deep", {"a": [{"b": {"c": [{"ship_blocking": True}]}}]}),
        ("release", {"items": [{"id": "FALSIFY-A-2"}]}),
    ],
)
def test_what_asserts_something_and_is_read_by_nothing_is_found(
    tmp_path: Path, name: str, block: Any
) -> None:
    (found,) = findings(tmp_path, "PV-DROPPED-001", **{name: block})
    assert found.severity == "warning"
    assert name in found.message


@pytest.mark.parametrize(
    ("name", "block"),
    [
        ("falsification", "a test would be good"),
        ("gates", []),
        ("motivation", {"id": "M-1", "why": "speed"}),
        ("five_whys", ["why?"]),
        ("evidence", {"verdict": "pass"}),
        ("falsification_tests", []),
    ],
)
def test_what_asserts_nothing_or_is_known_is_left_alone(tmp_path: Path, name: str, block: Any) -> None:
    assert not findings(tmp_path, "PV-DROPPED-001", **{name: block})


@pytest.mark.parametrize(("kind", "count"), [("kaizen", 0), ("pattern", 1)])
def test_invariants_are_read_in_contracts_of_one_kind(tmp_path: Path, kind: str, count: int) -> None:
    metadata = METADATA | {"kind": kind}
    assert len(findings(tmp_path, "PV-DROPPED-001", metadata=metadata, invariants=["x"])) == count


SHOWN = ["verdict", "discharged_evidence", "evidence_discharged_by", "harness_discharged_by"]


@pytest.mark.parametrize("key", SHOWN)
def test_what_was_shown_by_hand_is_found_at_its_key(tmp_path: Path, key: str) -> None:
    (found,) = findings(tmp_path, "PV-DROPPED-001", falsification_tests=falsifier(**{key: "pass"}))
    assert found.severity == "warning"
    assert found.message.startswith(f"FALSIFY-A-1: {key} says that something was shown")


@pytest.mark.parametrize(("status", "count"), [("DISCHARGED", 1), (" passed ", 1), ("open", 0), (3, 0)])
def test_a_status_of_a_falsifier_is_found_where_it_claims_something(
    tmp_path: Path, status: Any, count: int
) -> None:
    found = findings(tmp_path, "PV-DROPPED-001", falsification_tests=falsifier(status=status))
    assert len(found) == count


def test_a_block_of_the_old_name_has_a_remedy_that_does_it(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, "PV-DROPPED-001", falsification=[{"id": "F-1"}])
    assert "`pv migrate`" in found.remedy
    (slip,) = findings(tmp_path, "SCHEMA-019", falsifications=[{"id": "F-1"}])
    assert slip.message.endswith("did you mean falsification_tests?")


def test_a_status_of_the_summary_is_found(tmp_path: Path) -> None:
    summary = {"total_obligations": 0, "status": "discharged"}
    (found,) = findings(tmp_path, "PV-DROPPED-001", verification_summary=summary)
    assert found.message.startswith("verification_summary.status")


@pytest.mark.parametrize("key", ["applies_to", "not_applicable"])
def test_an_obligation_is_set_aside_in_two_ways(tmp_path: Path, key: str) -> None:
    aside = {"type": "bound", "property": "p", key: SET_ASIDE[key]}
    (reason,) = findings(tmp_path, "SCHEMA-021", proof_obligations=[aside])
    (owner,) = findings(tmp_path, "SCHEMA-022", proof_obligations=[aside])
    assert reason.where == owner.where
    whole = aside | {"na_reason": "a fact", "na_owner": "somebody"}
    assert not findings(tmp_path, "SCHEMA-023", proof_obligations=[whole])


SET_ASIDE: dict[str, Any] = {"applies_to": "not_applicable", "not_applicable": True}


def test_parents_are_judged_on_subcontracts_alone(tmp_path: Path) -> None:
    obligation = {"type": "bound", "property": "p", "parent_contract": "other-v1"}
    assert len(findings(tmp_path, "SCHEMA-016", proof_obligations=[obligation])) == 1
    assert not findings(tmp_path, "SCHEMA-017", proof_obligations=[obligation])
