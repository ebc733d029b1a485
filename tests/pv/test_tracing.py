"""Each link of the chain, broken and whole, with real checks and records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from pv.project import Project as Surroundings
from pv.traceability import STRENGTHS, Chain
from pv.tracing import trace
from tests.pv.conftest import CLAUSE, Project

ID = "FALSIFY-SMALL-001"


def written(project: Project, *clauses: Mapping[str, Any], **blocks: Any) -> None:
    """Write a contract of which all is in order but what is given."""
    path = project.contract(*(clauses or (dict(CLAUSE) | {"covers": ["A"]},)))
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    document["equations"] = {"near": {"formula": "|x - round(x)| <= 1/4"}}
    document["proof_obligations"] = [{"id": "A", "type": "bound", "property": "near"}]
    for key, value in blocks.items():
        if isinstance(value, dict) and key == "metadata":
            document[key] |= value
        else:
            document[key] = value
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


def traced(project: Project) -> Chain:
    return trace(project.load(), Surroundings(project.root))


def codes(project: Project) -> list[str]:
    return [finding.code for finding in traced(project).findings]


def strength(project: Project, kind: str) -> list[tuple[str, str, str]]:
    return [(link.start, link.end, link.strength) for link in traced(project).links if link.kind == kind]


def reached(project: Project) -> list[str]:
    return [reach.strength for reach in traced(project).reaches]


def test_a_chain_that_holds_is_verified_from_end_to_end(copied: Project) -> None:
    written(copied)
    chain = traced(copied)
    assert chain.findings == ()
    assert [(link.kind, link.start, link.end, link.strength) for link in chain.links] == [
        ("source → equation", "metadata.references", "near", "declared"),
        ("equation → obligation", "near", "all that apply to all", "declared"),
        ("obligation → falsifier", "A", ID, "resolves"),
        ("falsifier → check", ID, "small_checks.wholeness:wholeness", "resolves"),
        ("check → evidence", ID, "DISCHARGED", "verified"),
    ]
    (reach,) = chain.reaches
    assert (reach.strength, reach.equations, reach.falsifiers) == ("verified", ("near",), (ID,))


def test_sources_are_cited_by_the_words_that_the_list_has(project: Project) -> None:
    equation = {"formula": "f", "references": ["A  Book", "a paper"]}
    written(project, equations={"near": equation})
    assert strength(project, "source → equation") == [("A  Book", "near", "resolves"), ("", "near", "broken")]
    assert "PV-CHAIN-010" in codes(project)
    written(project, metadata={"references": []}, equations={"near": equation | {"references": []}})
    assert strength(project, "source → equation") == [("metadata.references", "near", "broken")]
    assert codes(project).count("SCHEMA-001") == 1


@pytest.mark.parametrize(
    ("to", "links", "found"),
    [
        ("near", [("near", "A", "resolves")], []),
        ("all", [("near", "all that apply to all", "declared")], []),
        ("simd", [("near", "all that apply to all", "declared")], []),
        ("nearly", [("near", "", "broken")], ["PV-CHAIN-001", "PV-CHAIN-002"]),
    ],
)
def test_an_obligation_applies_to_an_equation_to_all_or_to_nothing(
    copied: Project, to: str, links: list[tuple[str, str, str]], found: list[str]
) -> None:
    written(copied, proof_obligations=[{"id": "A", "type": "bound", "property": "near", "applies_to": to}])
    assert strength(copied, "equation → obligation") == links
    assert sorted(codes(copied)) == found


def test_a_reference_to_no_equation_is_an_error_only_where_our_fields_are_used(project: Project) -> None:
    wrong = [{"id": "A", "type": "bound", "property": "near", "applies_to": "everywhere"}]
    for clause, severity in (
        (dict(CLAUSE), "error"),
        ({"id": ID, "rule": "r", "prediction": "p", "if_fails": "f"}, "warning"),
    ):
        written(project, clause, proof_obligations=wrong)
        (finding,) = [each for each in traced(project).findings if each.code == "PV-CHAIN-002"]
        text = (project.root / "contracts" / "small-v1.yaml").read_text(encoding="utf-8")
        assert finding.severity == severity
        assert "applies_to: everywhere" in text.splitlines()[finding.where.line - 1]
        assert "no equation everywhere" in finding.message


def test_what_has_no_obligation_or_no_falsifier_is_said_by_upstreams_codes(project: Project) -> None:
    written(project, proof_obligations=[])
    assert "AUDIT-003" in codes(project)
    assert "PV-CHAIN-001" not in codes(project)
    written(project, falsification_tests=[])
    assert codes(project) == ["AUDIT-001"]
    assert reached(project) == ["broken"]
    written(project, kani_harnesses=[{"id": "K-1", "obligation": " "}, {"id": "K-2", "obligation": "B"}])
    found = codes(project)
    assert (found.count("AUDIT-002"), found.count("PV-HARNESS-001")) == (1, 1)
    assert [link[2] for link in strength(project, "harness → obligation")] == ["broken", "broken"]


@pytest.mark.parametrize("idle", [{"applies_to": "not_applicable"}, {"not_applicable": True}])
def test_an_obligation_that_is_set_aside_refers_to_no_equation(copied: Project, idle: dict[str, Any]) -> None:
    aside = {"id": "B", "type": "bound", "property": "q", "na_reason": "r", "na_owner": "o", **idle}
    written(copied, proof_obligations=[{"id": "A", "type": "bound", "property": "near"}, aside])
    assert codes(copied) == []
    assert reached(copied) == ["verified"]


def test_an_obligation_is_from_the_equation_that_it_names(copied: Project) -> None:
    two = {"near": {"formula": "f"}, "far": {"formula": "g"}}
    for to, equations in (
        (" near ", ("near",)),
        ("nearly", ()),
        ("simd", ("near", "far")),
        (" all", ("near", "far")),
    ):
        obligation = {"id": "A", "type": "bound", "property": "near", "applies_to": to}
        written(copied, equations=two, proof_obligations=[obligation])
        assert [reach.equations for reach in traced(copied).reaches] == [equations]


def test_an_obligation_without_a_falsifier_and_a_falsifier_without_an_obligation(copied: Project) -> None:
    written(copied, dict(CLAUSE))
    assert codes(copied) == ["PV-CHAIN-003", "PV-COVER-001"]
    assert strength(copied, "obligation → falsifier") == [("A", "", "broken")]
    written(copied, dict(CLAUSE) | {"covers": ["A", "B"]})
    assert codes(copied) == ["PV-COVER-002"]
    assert sorted(strength(copied, "obligation → falsifier")) == [("", ID, "broken"), ("A", ID, "resolves")]


def test_what_is_proved_is_declared_and_what_does_not_apply_is_left_out(project: Project) -> None:
    proved = {"id": "A", "type": "bound", "property": "p", "lean": {"theorem": "T", "status": "proved"}}
    idle = {"id": "B", "type": "bound", "property": "q", "not_applicable": True}
    written(project, dict(CLAUSE), proof_obligations=[proved, idle])
    assert reached(project) == ["declared"]
    assert strength(project, "obligation → falsifier") == []
    assert strength(project, "obligation → proof") == [("A", "T", "declared")]
    proved["lean"]["module"] = "Claims"  # type: ignore[index]
    written(project, dict(CLAUSE), proof_obligations=[proved])
    assert strength(project, "obligation → proof") == [("A", "", "broken")]
    assert reached(project) == ["broken"]
    assert "PV-CHAIN-004" in codes(project)
    (project.root / "Claims.lean").write_text("theorem T : True := trivial\n")
    assert strength(project, "obligation → proof") == [("A", "T", "resolves")]
    assert reached(project) == ["declared"]
    assert "PV-CHAIN-004" not in codes(project)


@pytest.mark.parametrize(
    ("changes", "code", "strengths", "reach"),
    [
        ({"check": None, "expect": None, "test": "by hand"}, "PV-CHAIN-005", ["broken"], "declared"),
        ({"check": "small_checks.wholeness:gone"}, "PV-CHECK-001", ["broken"], "declared"),
        ({"check": "small_checks.gone:wholeness"}, "PV-CHECK-001", ["broken"], "declared"),
        ({"counter_examples": ["one_half", "gone"]}, "PV-PLANT-001", ["broken"], "declared"),
        ({"id": "FALSIFY-SMALL-002"}, "PV-CHAIN-006", ["resolves", "broken"], "resolves"),
        ({"expect": ["max(distance) <= 0.3"]}, "PV-CHAIN-007", ["resolves", "executed"], "executed"),
    ],
)
def test_from_a_falsifier_to_its_evidence(
    copied: Project, changes: dict[str, Any], code: str, strengths: list[str], reach: str
) -> None:
    clause = {
        key: value for key, value in (dict(CLAUSE) | {"covers": ["A"]} | changes).items() if value is not None
    }
    written(copied, clause)
    assert codes(copied) == [code]
    kinds = ("falsifier → check", "check → evidence")
    assert [link.strength for link in traced(copied).links if link.kind in kinds] == strengths
    assert reached(copied) == [reach]


def test_an_id_may_have_colons(copied: Project) -> None:
    clause = dict(CLAUSE) | {
        "id": "FALSIFY:SMALL:001",
        "check": "small_checks.gone:wholeness",
        "covers": ["A"],
    }
    written(copied, clause)
    named = "small_checks.gone:wholeness"
    assert strength(copied, "falsifier → check") == [("FALSIFY:SMALL:001", named, "broken")]


def test_evidence_that_was_edited_is_worse_than_none(copied: Project) -> None:
    written(copied)
    record = copied.record()
    record.write_text(record.read_text(encoding="utf-8").replace('"Pass"', '"Fail"'), encoding="utf-8")
    (finding,) = traced(copied).findings
    assert (finding.code, finding.severity) == ("PV-CHAIN-008", "error")
    assert record.name in finding.message
    assert reached(copied) == ["broken"]


def test_evidence_that_says_otherwise_breaks_the_chain(copied: Project) -> None:
    (copied.root / "data" / "shipped.txt").write_text("1.0\n2.5\n")
    copied.pin()
    written(copied)
    assert copied.pv("discharge", ID).code == 1
    (finding,) = traced(copied).findings
    assert (finding.code, finding.severity) == ("PV-CHAIN-009", "error")
    assert f"{ID} is FALSIFIED: fails at live level" in finding.message
    assert reached(copied) == ["broken"]


def test_a_falsifier_that_is_excluded_is_no_link_and_no_gap(project: Project) -> None:
    written(project, {"id": ID, "rule": "r", "prediction": "p", "if_fails": "f", "excluded": "nobody can"})
    assert strength(project, "falsifier → check") == []
    assert "PV-CHAIN-003" not in codes(project)
    assert reached(project) == ["broken"]


def test_what_one_alone_covers_that_is_excluded_is_covered_by_nothing(copied: Project) -> None:
    idle = {"id": "FALSIFY-SMALL-002", "rule": "r", "prediction": "p", "if_fails": "f", "excluded": "nobody"}
    written(copied, dict(CLAUSE), idle | {"covers": ["A"]})
    (finding,) = [one for one in traced(copied).findings if one.code == "PV-COVER-001"]
    assert finding.message == "no falsifier covers A but FALSIFY-SMALL-002, of which nothing is measured"
    assert strength(copied, "obligation → falsifier") == [("A", "", "broken")]
    assert reached(copied) == ["broken"]
    written(copied, dict(CLAUSE) | {"covers": ["A"]}, idle | {"covers": ["A"]})
    assert strength(copied, "obligation → falsifier") == [("A", ID, "resolves")]
    assert (codes(copied), reached(copied)) == ([], ["verified"])


def test_a_property_is_a_link_as_a_check_is(project: Project) -> None:
    (project.root / "doubled.py").write_text("def twice(x: int) -> int:\n    return 2 * x\n")
    stated = {"type": "linearity", "subject": "doubled:twice", "inputs": {"x": {"integers": [-9, 9]}}}
    clause = {"id": ID, "rule": "r", "prediction": "p", "if_fails": "f", "covers": ["A"], "property": stated}
    clause |= {"expect": ["violations == 0"]}
    written(project, clause)
    assert codes(project) == ["PV-CHAIN-006"]
    assert strength(project, "falsifier → check") == [(ID, "linearity of doubled:twice", "resolves")]
    assert strength(project, "check → evidence") == [(ID, "", "broken")]
    written(project, clause | {"property": stated | {"subject": "doubled:thrice"}})
    assert codes(project) == ["PV-CHECK-001"]
    assert reached(project) == ["declared"]


def test_evidence_is_not_looked_at_where_nothing_is_bound(
    copied: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: object) -> None:
        raise AssertionError("a record was read")

    monkeypatch.setattr("pv.status.records_of", read)
    written(copied)
    with pytest.raises(AssertionError, match="a record was read"):
        traced(copied)
    written(copied, {"id": ID, "rule": "r", "prediction": "p", "if_fails": "f", "covers": ["A"]})
    assert codes(copied) == ["PV-CHAIN-005"]


def test_strengths_are_ordered() -> None:
    assert STRENGTHS == ("broken", "declared", "resolves", "executed", "verified")
