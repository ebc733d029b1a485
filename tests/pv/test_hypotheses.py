from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest
import yaml

from pv.contract import load_contract
from pv.hypotheses import Weighed, weigh
from pv.project import Project as Surroundings

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"
OTHER = {"id": "FALSIFY-SMALL-002", "rule": "r", "prediction": "p", "if_fails": "f"}
Verdict = Literal["Pass", "Fail"]


def supposed(project: Project, *predictions: dict[str, Verdict]) -> list[Weighed]:
    """Write hypotheses that predict, into the usual contract beside a falsifier that nothing is bound to."""
    path = project.root / "contracts" / "small-v1.yaml"
    document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    document["falsification_tests"] = [*document["falsification_tests"][:1], OTHER]
    document["hypotheses"] = [
        {"id": f"H{index}", "statement": "so it is", "predicts": predicts, "then": "do this"}
        for index, predicts in enumerate(predictions, 1)
    ]
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    around = Surroundings(project.root)
    contract = load_contract(path)
    return [weigh(each, contract, around) for each in contract.hypotheses]


def test_without_evidence_it_is_open(project: Project) -> None:
    (weighed,) = supposed(project, {ID: "Fail"})
    assert (weighed.state, weighed.predictions[0].seen) == ("open", None)
    assert "not seen yet, it is UNBOUND" in "\n".join(weighed.lines())


@pytest.mark.parametrize(
    ("predicts", "state"),
    [
        ({ID: "Pass"}, "surviving"),
        ({ID: "Fail"}, "refuted"),
        ({ID: "Pass", "FALSIFY-SMALL-002": "Pass"}, "open"),
        ({ID: "Fail", "FALSIFY-SMALL-002": "Pass"}, "refuted"),
        ({f"small-v1#{ID}": "Pass"}, "surviving"),
    ],
)
def test_a_verdict_that_differs_refutes(copied: Project, predicts: dict[str, Verdict], state: str) -> None:
    (weighed,) = supposed(copied, predicts)
    assert weighed.state == state
    assert weighed.to_json()["state"] == state


def test_who_refutes_is_named_with_the_record(copied: Project) -> None:
    (weighed,) = supposed(copied, {ID: "Fail"})
    said = "\n".join(weighed.lines())
    assert f"small-v1#{ID} predicted to Fail: it passed (DISCHARGED)" in said
    assert "live-shipped-cpu.json" in said
    assert "if so" not in said


def test_evidence_that_went_stale_refutes_nothing(copied: Project) -> None:
    assert [each.state for each in supposed(copied, {ID: "Fail"}, {ID: "Pass"})] == ["refuted", "surviving"]
    checks = copied.root / "small_checks" / "wholeness.py"
    checks.write_text(checks.read_text(encoding="utf-8") + "\n\nADDED = 1\n", encoding="utf-8")
    contract = load_contract(copied.root / "contracts" / "small-v1.yaml")
    around = Surroundings(copied.root)
    assert [weigh(h, contract, around).state for h in contract.hypotheses] == ["open"] * 2


def test_a_claim_that_is_known_to_be_false_has_failed(project: Project) -> None:
    project.contract(
        outcome="refuted",
        counter_examples=None,
        subjects={"live": {"numbers": "shipped"}},
        expect=["count(distance) >= 5"],
        satisfying_example={"with": {"copies": 2}},
    )
    assert project.pv("discharge", ID).code == 0
    assert [each.state for each in supposed(project, {ID: "Fail"}, {ID: "Pass"})] == ["surviving", "refuted"]


def test_a_name_that_leads_nowhere_decides_nothing(copied: Project) -> None:
    (weighed,) = supposed(copied, {"FALSIFY-GONE-001": "Pass"})
    assert (weighed.state, weighed.predictions) == ("open", ())


def test_explain_says_where_each_stands(copied: Project) -> None:
    supposed(copied, {ID: "Fail"}, {ID: "Pass"}, {"FALSIFY-SMALL-002": "Pass"})
    ended = copied.pv("explain", ID)
    assert ended.code == 0
    assert "hypotheses\n  H1  refuted: so it is" in ended.out
    assert "  H2  surviving: so it is" in ended.out
    assert "    if so: do this" in ended.out
    assert "H3" not in ended.out
