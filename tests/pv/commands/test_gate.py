from __future__ import annotations

import json
import os
from typing import Any

import pytest

from pv.exits import Exit
from tests.pv.conftest import CLAUSE, Project
from tests.pv.staging import ADDRESS, CLAIM, GATE, ONE, TWO, claimed, commit, git, meaning, stage


@pytest.fixture(autouse=True)
def _no_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("GIT_", "PRE_COMMIT"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def committed(copied: Project) -> Project:
    """A project whose falsifier is discharged and claims it, all of it committed."""
    return claimed(copied)


def test_a_contract_is_judged_as_it_is_staged_and_not_as_it_lies_there(committed: Project) -> None:
    good = (committed.root / "contracts/small-v1.yaml").read_text()
    committed.contract(**CLAIM, expect=["max(distance) <= ("])
    stage(committed)
    (committed.root / "contracts/small-v1.yaml").write_text(good)
    ended = committed.pv("gate")
    assert ended.code == Exit.REJECTED, ended.said
    assert "contracts/small-v1.yaml:" in ended.out
    # And the other way round.
    stage(committed)
    (committed.root / "contracts/small-v1.yaml").write_text("metadata: [")
    assert committed.pv("gate").code == Exit.ACCEPTED


def test_places_are_those_that_can_be_opened(committed: Project) -> None:
    committed.contract(**CLAIM, check="small_checks.wholeness:nothing")
    stage(committed)
    said = committed.pv("gate").said
    assert "\ncontracts/small-v1.yaml:" in said
    assert "pv-gate-" not in said
    assert "pv-gate-" not in json.dumps(committed.pv("gate", "--json").json)


def test_other_files_than_contracts_are_judged_too(committed: Project) -> None:
    folder = committed.root / "contracts" / "other"
    folder.mkdir()
    entry = {"contract": "a.yaml", "equation": "e", "status": "implemented"}
    registry = {"version": "1", "target_crate": "c", "bindings": [entry]}
    (folder / "binding.yaml").write_text(json.dumps(registry))
    (folder / "ontology.yaml").write_text("schema: ont-sigma-v1\n")
    stage(committed)
    ended = committed.pv("gate")
    assert ended.code == Exit.REJECTED
    assert "contracts/other/binding.yaml:1:" in ended.out
    assert "BINDING-005" in ended.out
    assert (
        "contracts/other/ontology.yaml: this is an ontology, not a contract; it was not checked" in ended.said
    )
    (folder / "binding.yaml").write_text(json.dumps(registry | {"bindings": [entry | {"function": "f"}]}))
    stage(committed)
    assert committed.pv("gate").code == Exit.ACCEPTED


def test_a_manifest_is_judged_by_the_contract_that_is_committed_near_it(committed: Project) -> None:
    folder = committed.root / "contracts" / "manifests"
    folder.mkdir()
    (folder / "model.yaml").write_text("model_id: a\nlicense: MIT\nprovenance: {}\n")
    stage(committed)
    said = committed.pv("gate").said
    assert "PM-SHAPE-000" in said
    assert "pv-gate-" not in said
    owner = {"schema": {"required_fields": ["license"]}}
    metadata = {"version": "1", "description": "x", "references": ["y"], "kind": "pattern"}
    (folder.parent / "publish-manifest-v1.yaml").write_text(json.dumps({"metadata": metadata} | owner))
    stage(committed)
    commit(committed)
    (folder / "model.yaml").write_text("model_id: b\nlicense: MIT\nprovenance: {}\n")
    stage(committed)
    assert committed.pv("gate").code == Exit.ACCEPTED


def test_a_status_that_evidence_does_not_support_is_refused(committed: Project) -> None:
    second = dict(CLAUSE) | CLAIM | {"id": TWO}
    committed.contract(dict(CLAUSE) | CLAIM, second)
    stage(committed)
    ended = committed.pv("gate")
    assert ended.code == Exit.REJECTED
    assert "claims DISCHARGED, evidence supports UNBOUND: never run" in ended.out


def test_evidence_that_is_not_staged_supports_nothing(committed: Project) -> None:
    second = dict(CLAUSE) | CLAIM | {"id": TWO}
    committed.contract(dict(CLAUSE) | CLAIM, second)
    assert committed.pv("discharge", TWO).code == 0
    stage(committed, "contracts")
    assert committed.pv("gate").code == Exit.REJECTED
    stage(committed, "evidence")
    assert committed.pv("gate").code == Exit.ACCEPTED


def test_evidence_that_was_edited_by_hand_takes_the_claim_with_it(committed: Project) -> None:
    record = committed.record()
    whole = json.loads(record.read_text())
    whole["predicate"]["verdict"]["outcome"] = "Fail"
    record.write_text(json.dumps(whole))
    stage(committed, "evidence")
    git(committed.root, "checkout", "-q", "--", ".")
    ended = committed.pv("gate")
    assert ended.code == Exit.REJECTED, ended.said
    assert "claims DISCHARGED" in ended.out


def test_evidence_that_was_taken_away_takes_the_claim_with_it(committed: Project) -> None:
    git(committed.root, "rm", "-q", "-r", "--cached", "evidence")
    ended = committed.pv("gate")
    assert ended.code == Exit.REJECTED
    assert "demoted" in ended.out


def test_nothing_of_ours_is_told_and_accepted(committed: Project) -> None:
    (committed.root / "notes.txt").write_text("nothing")
    assert committed.pv("gate").code == Exit.ACCEPTED
    stage(committed)
    ended = committed.pv("gate")
    assert ended.code == Exit.ACCEPTED
    assert "nothing of pv's was touched" in ended.out


def test_a_path_that_names_nothing_is_no_acceptance(committed: Project) -> None:
    assert committed.pv("gate", "contracts/none.yaml").code == Exit.USAGE
    (committed.root / "contracts/new-v1.yaml").write_text("metadata: {}")
    ended = committed.pv("gate", "contracts/new-v1.yaml")
    assert ended.code == Exit.USAGE
    assert "git add" in ended.said
    assert committed.pv("gate", "contracts/small-v1.yaml").code == Exit.ACCEPTED
    assert committed.pv("gate", "small_checks/wholeness.py").code == Exit.USAGE


@pytest.mark.parametrize("words", [["--from-ref", "HEAD"], ["--base", "none"], ["--budget", "soon"]])
def test_a_wrong_command_line_is_no_acceptance(committed: Project, words: list[str]) -> None:
    assert committed.pv("gate", *words).code == Exit.USAGE


def test_a_budget_of_what_is_not_run_is_refused(committed: Project) -> None:
    for words in ([], ["--no-run"]):
        ended = committed.pv("gate", "--budget", "30s", *words)
        assert (ended.code, "--budget" in ended.err) == (Exit.USAGE, True), ended.said
    assert committed.pv("gate", "--run", "--budget", "30s").code == Exit.ACCEPTED


def test_a_change_of_a_check_makes_stale_what_rests_on_it(committed: Project) -> None:
    meaning(committed)
    stage(committed)
    ended = committed.pv("gate")
    assert ended.code == Exit.ACCEPTED
    assert f"stale     {ADDRESS}: small_checks/wholeness.py changed (was DISCHARGED)" in ended.out
    assert f"pv discharge {ADDRESS} --level live" in ended.out
    assert committed.pv("gate", "--stale", "fail").code == Exit.REJECTED


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("small_checks/loading.py", "def ", "LOADED = 1\n\n\ndef "),  # imported, or a subject's loader
        ("pv.toml", 'loader = "small_checks.loading:open_numbers"', 'loader = "small_checks.loading:other"'),
    ],
)
def test_what_a_check_imports_and_what_its_subjects_are_count_too(
    committed: Project, path: str, old: str, new: str
) -> None:
    text = (committed.root / path).read_text()
    assert old in text
    (committed.root / path).write_text(text.replace(old, new, 1))
    stage(committed)
    document = committed.pv("gate", "--json").json
    assert [one["falsifier"] for one in document["stale"]] == [ADDRESS]


def test_comments_and_other_files_make_nothing_stale(committed: Project) -> None:
    path = committed.root / "small_checks" / "wholeness.py"
    path.write_text(path.read_text() + "# nothing\n")
    (committed.root / "small_checks" / "elsewhere.py").write_text("x = 1\n")
    stage(committed)
    document = committed.pv("gate", "--json").json
    assert (document["stale"], document["moved"]) == ([], [])


def test_what_was_stale_before_is_counted_and_not_blamed(committed: Project) -> None:
    meaning(committed)
    commit(committed)
    committed.contract(dict(CLAUSE) | CLAIM, dict(CLAUSE) | {"id": TWO})
    stage(committed)
    ended = committed.pv("gate", "--stale", "fail")
    assert ended.code == Exit.ACCEPTED
    assert "1 more were stale before" in ended.out


def test_a_check_that_is_taken_away_is_an_error_of_the_contract_that_names_it(committed: Project) -> None:
    git(committed.root, "rm", "-q", "--cached", "small_checks/wholeness.py")
    ended = committed.pv("gate")
    assert ended.code == Exit.REJECTED
    assert "PV-CHECK-001" in ended.out


def test_an_error_that_was_there_before_in_another_contract_is_not_this_changes(committed: Project) -> None:
    committed.contract(dict(CLAUSE) | {"id": "FALSIFY-OTHER-001", "covers": ["NONE-1"]}, stem="other-v1")
    git(committed.root, "add", "contracts")
    assert committed.pv("gate").code == Exit.REJECTED
    git(committed.root, "commit", "-qm", "wrong")
    meaning(committed)
    stage(committed)
    ended = committed.pv("gate")
    assert ended.code == Exit.ACCEPTED, ended.said
    assert committed.pv("gate", "--all-files").code == Exit.REJECTED


def test_an_id_that_another_contract_has_is_found_there(committed: Project) -> None:
    committed.contract(dict(CLAUSE), stem="twin-v1")
    stage(committed)
    ended = committed.pv("gate")
    assert ended.code == Exit.REJECTED
    assert "PV-ID-001" in ended.out
    assert "contracts/small-v1.yaml:" in ended.out


def gate_on(identifier: str) -> dict[str, Any]:
    return {
        "id": GATE,
        "rule": "as measured",
        "prediction": "near",
        "if_fails": "far",
        "basis": {name: {"falsifier": identifier, "metric": name} for name in ("distance", "expected")},
        "expect": ["max(distance) <= 0.25", "count(distance) == expected"],
        "ship_blocking": True,
    }


@pytest.fixture
def gated(committed: Project) -> Project:
    """With a gate in another contract, judged and committed."""
    committed.contract(gate_on(ADDRESS) | CLAIM, stem="gate-v1")
    assert committed.pv("discharge", GATE).code == 0
    commit(committed)
    return committed


def test_a_gate_in_another_contract_follows_what_it_cites(gated: Project) -> None:
    meaning(gated)
    stage(gated)
    document = gated.pv("gate", "--json").json
    assert {one["falsifier"]: one["here"] for one in document["stale"]} == {
        ADDRESS: "can",
        f"gate-v1#{GATE}": "gate",
    }


def test_a_name_that_another_contract_cites_cannot_be_taken_away(gated: Project) -> None:
    gated.contract(**CLAIM, id="FALSIFY-SMALL-009")
    stage(gated)
    ended = gated.pv("gate")
    assert ended.code == Exit.REJECTED
    assert "contracts/gate-v1.yaml" in ended.out
    assert "PV-BASIS-001" in ended.out


def test_a_contract_that_is_renamed_leaves_its_evidence_behind(committed: Project) -> None:
    git(committed.root, "mv", "contracts/small-v1.yaml", "contracts/small-v2.yaml")
    ended = committed.pv("gate", "--json")
    assert ended.code == Exit.REJECTED
    assert ended.json["contracts"]["gone"] == ["contracts/small-v1.yaml"]
    assert {one["direction"] for one in ended.json["moved"]} == {"new", "gone"}
    git(committed.root, "mv", "evidence/small-v1", "evidence/small-v2")
    assert committed.pv("gate").code == Exit.REJECTED  # its records are about another contract


def test_a_contract_that_is_deleted_is_told(committed: Project) -> None:
    git(committed.root, "rm", "-q", "-r", "contracts", "evidence")
    ended = committed.pv("gate")
    assert ended.code == Exit.ACCEPTED
    assert f"gone      {ADDRESS}: DISCHARGED → nothing" in ended.out


def test_the_policy_of_the_project_is_that_of_the_tree(committed: Project) -> None:
    text = (committed.root / "pv.toml").read_text()
    (committed.root / "pv.toml").write_text(f'{text}\n[gate]\nstale = "fail"\n')
    meaning(committed)
    stage(committed)
    (committed.root / "pv.toml").write_text(text)
    assert committed.pv("gate").code == Exit.REJECTED
    assert committed.pv("gate", "--stale", "warn").code == Exit.ACCEPTED
    (committed.root / "pv.toml").write_text(f'{text}\n[gate]\nrun = true\nbudget = "soon"\n')
    stage(committed)
    assert committed.pv("gate").code == Exit.USAGE


@pytest.fixture
def broken(committed: Project) -> Project:
    """With evidence of a failure staged, which the contract does not hide."""
    committed.contract(expect=["max(distance) <= 0.01", "count(distance) == expected"])
    committed.edit("contracts/small-v1.yaml", "version: 1.0.0", "version: 1.1.0")
    assert committed.pv("discharge", ONE).code == Exit.REJECTED
    stage(committed)
    return committed


def test_a_failure_that_is_recorded_rejects_unless_it_is_waived(broken: Project) -> None:
    ended = broken.pv("gate")
    assert ended.code == Exit.REJECTED
    assert f"broken    {ADDRESS}" in ended.out
    waiver = {
        "id": ONE,
        "reason": "known",
        "approver": "a person",
        "created": "2020-01-01",
        "expires": "2999-01-01",
    }
    (broken.root / "waivers.yaml").write_text(json.dumps([waiver]))
    stage(broken)
    ended = broken.pv("gate")
    assert ended.code == Exit.ACCEPTED, ended.said
    assert "WAIVED until 2999-01-01" in ended.out


def test_waivers_that_cannot_be_used_are_findings(committed: Project) -> None:
    (committed.root / "waivers.yaml").write_text("- {id: NONE}\n")
    stage(committed)
    ended = committed.pv("gate")
    assert ended.code == Exit.REJECTED
    assert "waivers.yaml:1" in ended.out


def test_a_contract_that_is_no_yaml_rejects(committed: Project) -> None:
    (committed.root / "contracts" / "bad-v1.yaml").write_text("metadata: [")
    stage(committed)
    ended = committed.pv("gate")
    assert ended.code == Exit.REJECTED
    assert "contracts/bad-v1.yaml:2" in ended.out


def test_what_a_tree_says_of_itself_runs_nothing(committed: Project) -> None:
    text = (committed.root / "pv.toml").read_text()
    (committed.root / "pv.toml").write_text(f"{text}\n[gate]\nrun = true\n")
    meaning(committed)
    stage(committed)
    before = committed.evidence()
    ended = committed.pv("gate")
    assert "add --run" in ended.err
    assert f"stale     {ADDRESS}" in ended.out
    assert committed.evidence() == before
    assert "add --run" not in committed.pv("gate", "--no-run").err
    assert committed.pv("gate", "--run").code == Exit.ACCEPTED
    assert committed.evidence() != before
