from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pv.evidence import seal
from pv.exits import Exit
from pv.status import LADDER, supports

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"


def forge(project: Project, level: str, **changes: Any) -> None:
    """Alter a record and seal it again, as somebody would who wants a better status."""
    path = project.record(level)
    whole = json.loads(path.read_bytes())
    for section, new in changes.items():
        whole["predicate"][section] = {**whole["predicate"][section], **new}
    whole["predicate"]["seal"] = seal(whole)
    path.write_text(json.dumps(whole), encoding="utf-8")


def test_a_record_with_other_lines_than_the_contract_supports_nothing(project: Project) -> None:
    project.contract(expect=["max(distance) <= 0.2", "count(distance) == expected"])
    project.pv("discharge", ID)
    inputs = json.loads(project.record("algorithm").read_bytes())["predicate"]["inputs"]
    clause = {key: inputs[key] for key in ("clause", "form")}
    subject = {"name": f"clause:small-v1#{ID}", "digest": {"sha256": clause["clause"]}}
    project.contract(expect=["max(distance) <= 0.25", "count(distance) == expected"])
    project.pv("discharge", ID)
    project.contract(expect=["max(distance) <= 0.2", "count(distance) == expected"])
    for level in ("algorithm", "live"):
        path = project.record(level)
        whole = json.loads(path.read_bytes())
        whole["predicate"]["inputs"] |= clause
        whole["subject"][0] = subject
        whole["predicate"]["seal"] = seal(whole)
        path.write_text(json.dumps(whole), encoding="utf-8")
    assert project.pv("evidence", "verify").code == Exit.ACCEPTED
    status, reason = project.status()
    assert status == "UNBOUND"
    assert "section rule is not what the contract and its check say" in reason
    # Nor is it taken for a run that need not be repeated.
    assert project.pv("discharge", ID).code == Exit.REJECTED


@pytest.mark.parametrize(
    ("level", "changes", "section"),
    [
        ("algorithm", {"counter_examples": {}}, "counter_examples"),
        ("live", {"check": {"reference": "small_checks.wholeness:other"}}, "check"),
        ("live", {"check": {"arguments": {"copies": 2}}}, "check"),
        ("live", {"falsifier": {"outcome": "refuted"}}, "falsifier"),
        ("live", {"place": {"base_level": "functional"}}, "place"),
    ],
)
def test_a_record_that_disagrees_with_the_clause_supports_nothing(
    copied: Project, level: str, changes: dict[str, Any], section: str
) -> None:
    if section == "counter_examples":
        path = copied.record(level)
        whole = json.loads(path.read_bytes())
        del whole["predicate"]["counter_examples"]["one_missing"]
        whole["predicate"]["seal"] = seal(whole)
        path.write_text(json.dumps(whole), encoding="utf-8")
    else:
        forge(copied, level, **changes)
    status, _reason = copied.status()
    assert status in {"UNBOUND", "STALE"}
    assert copied.pv("status", ID).code == Exit.ACCEPTED


def test_a_functional_run_cannot_be_passed_off_as_live(project: Project) -> None:
    project.pv("discharge", ID, "--level", "functional")
    path = project.record("functional")
    forge(project, "functional", place={"level": "live"})
    path.rename(path.with_name(path.name.replace("functional", "live")))
    assert project.pv("evidence", "verify").code == Exit.ACCEPTED
    assert project.status()[0] == "UNBOUND"


def test_a_lax_rule_above_a_strict_one_is_vacuous(project: Project) -> None:
    strict = ["max(distance) <= 0.25", "count(distance) == expected"]
    project.contract(expect={"functional": strict, "live": ["max(distance) <= 0.4999"]})
    ended = project.pv("discharge", "FALSIFY-SMALL-001")
    assert ended.code == 1, ended.said
    why = "its rule at live level does not notice the counter-example one_missing"
    assert why in ended.out
    assert project.status() == ("VACUOUS", why)
    project.contract(expect={"functional": strict, "live": ["max(distance) <= 0.3", strict[1]]})
    assert project.pv("discharge", "FALSIFY-SMALL-001").code == 0
    assert project.status()[0] == "DISCHARGED"


def test_a_lax_rule_above_has_to_be_certain_of_a_run_that_was_cut_short(project: Project) -> None:
    strict = ["max(distance) <= 0.25", "count(distance) == expected"]
    rules = {"functional": strict, "live": ["mean(distance) <= 0.12", strict[1]]}
    project.contract(expect=rules, counter_examples=["one_half"])
    assert project.pv("discharge", "FALSIFY-SMALL-001").code == 0
    assert project.status()[0] == "DISCHARGED"
    plants = json.loads(project.record("algorithm").read_bytes())["predicate"]["counter_examples"]
    # The maximum stays above a quarter; the mean may yet fall.
    forge(project, "algorithm", counter_examples={"one_half": plants["one_half"] | {"whole": False}})
    why = "its rule at live level does not notice the counter-example one_half"
    assert project.status() == ("VACUOUS", why)


def test_without_evidence_nothing_is_claimed(project: Project) -> None:
    assert project.status() == ("UNBOUND", "never run: no evidence")
    project.contract(check="small_checks.wholeness:missing")
    status, reason = project.status()
    assert status == "UNBOUND"
    assert "defines no function missing" in reason


def test_excluded_stays_outside_the_tally(copied: Project) -> None:
    usual = dict(copied.load().falsifiers[0].raw)
    copied.contract(usual, {**usual, "id": "FALSIFY-SMALL-002", "excluded": "a rule about meetings"})
    ended = copied.pv("status", "--format", "json")
    assert ended.json["contracts"] == {"small-v1": "DISCHARGED"}
    assert [row["status"] for row in ended.json["falsifiers"]] == ["DISCHARGED", "EXCLUDED"]


def test_a_contract_is_as_good_as_the_worst_that_blocks_it(copied: Project) -> None:
    usual = dict(copied.load().falsifiers[0].raw)
    copied.contract(usual, {**usual, "id": "FALSIFY-SMALL-002", "check": None})
    assert copied.pv("status", "--json").json["contracts"] == {"small-v1": "UNBOUND"}
    copied.contract(usual, {**usual, "id": "FALSIFY-SMALL-002", "check": None, "ship_blocking": False})
    assert copied.pv("status", "--json").json["contracts"] == {"small-v1": "DISCHARGED"}
    copied.contract({**usual, "ship_blocking": False})
    assert copied.pv("status", "--json").json["contracts"] == {"small-v1": "NOT GATED"}


def test_a_level_that_the_claim_has_no_more_does_not_keep_it_stale(project: Project) -> None:
    project.pv("discharge", ID, "--level", "functional")
    project.contract(subjects={"live": {"numbers": "shipped"}})
    assert project.status()[0] == "STALE"
    assert project.pv("discharge", ID).code == Exit.ACCEPTED
    assert project.status()[0] == "DISCHARGED"


@pytest.mark.parametrize("derived", [*LADDER, "REFUTED", "EXCLUDED"])
@pytest.mark.parametrize("claimed", [*LADDER, "REFUTED", "EXCLUDED"])
def test_what_bears_out_what(derived: str, claimed: str) -> None:
    if derived in LADDER and claimed in LADDER:
        wanted = LADDER.index(derived) >= LADDER.index(claimed)
    elif derived == "REFUTED":
        wanted = claimed not in {"DISCHARGED", "FUNCTIONAL", "EXCLUDED"}
    else:
        wanted = derived == claimed
    assert supports(derived, claimed) == wanted


def test_a_claim_that_was_not_measured_is_not_refuted(project: Project) -> None:
    project.contract(
        outcome="refuted",
        counter_examples=None,
        subjects={"live": {"numbers": "shipped"}},
        expect=["max(distance) <= 0.25"],
        satisfying_example={"with": {"copies": 1}},
        **{"with": {"copies": 0}},
    )
    ended = project.pv("discharge", ID)
    assert ended.code == Exit.REJECTED, ended.said
    assert "claimed refuted, but it could not be judged" in ended.out
    status, reason = project.status()
    assert status == "VACUOUS"
    assert "could not be judged" in reason


def test_the_arguments_of_a_satisfying_example_are_those_of_the_clause(project: Project) -> None:
    project.contract(
        outcome="refuted",
        counter_examples=None,
        subjects={"live": {"numbers": "shipped"}},
        expect=["count(distance) == 2 * expected"],
        satisfying_example={"with": {"copies": 2}},
    )
    # It never holds, so it is not shown that it could.
    assert project.pv("discharge", ID).code == Exit.REJECTED
    assert project.status()[0] == "VACUOUS"
    project.contract(
        outcome="refuted",
        counter_examples=None,
        subjects={"live": {"numbers": "shipped"}},
        expect=["count(distance) >= 5"],
        satisfying_example={"with": {"copies": 2}},
    )
    assert project.pv("discharge", ID).code == Exit.ACCEPTED
    assert project.status()[0] == "REFUTED"
    path = project.record("algorithm")
    whole = json.loads(path.read_bytes())
    whole["predicate"]["satisfying_example"]["arguments"] = {"copies": 9}
    whole["predicate"]["seal"] = seal(whole)
    path.write_text(json.dumps(whole), encoding="utf-8")
    status, reason = project.status()
    assert status == "UNBOUND"
    assert "satisfying_example" in reason


def on_a_gpu(project: Project, name: str, change: Any) -> None:
    """Put beside a record what a GPU would have given: this machine need not have one."""
    path = project.root / "evidence" / "small-v1" / ID / name
    whole = json.loads(path.read_bytes())
    whole["predicate"]["place"] |= {"device": "cuda-sm90", "capability": "9.0"}
    change(whole["predicate"])
    whole["predicate"]["seal"] = seal(whole)
    path.with_name(name.replace("-cpu", "-cuda-sm90")).write_text(json.dumps(whole), encoding="utf-8")


def test_what_one_device_shows_does_not_hide_what_another_shows(copied: Project) -> None:
    def missed(predicate: dict[str, Any]) -> None:
        plant = predicate["counter_examples"]["one_half"]
        plant["measurements"] = predicate["measurements"]
        plant["verdict"] = predicate["verdict"]
        plant["caught"] = False

    on_a_gpu(copied, copied.record("algorithm").name, missed)
    status, reason = copied.status()
    assert status == "VACUOUS"
    assert "one_half" in reason


def test_a_seed_that_was_chosen_is_told(project: Project) -> None:
    assert project.pv("discharge", ID, "--seed", "17").code == Exit.ACCEPTED
    assert project.status() == ("DISCHARGED", "judged live, with seed 17")
