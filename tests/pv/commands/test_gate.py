from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pv.exits import Exit
from tests.pv.conftest import CLAUSE, ROOT, Project

ONE, TWO, GATE = "FALSIFY-SMALL-001", "FALSIFY-SMALL-002", "FALSIFY-SMALL-003"
ADDRESS = f"small-v1#{ONE}"
CLAIM = {"discharge_status": "DISCHARGED"}


@pytest.fixture(autouse=True)
def _no_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("GIT_", "PRE_COMMIT"))]:
        monkeypatch.delenv(name)


def git(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    own = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false", "-c", "gc.auto=0"]
    return subprocess.run(
        ["git", *own, *words],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | variables,
    )


@pytest.fixture
def committed(copied: Project) -> Project:
    """A project whose falsifier is discharged and claims it, all of it committed."""
    copied.contract(**CLAIM)
    (copied.root / ".gitignore").write_text(".pv/\n__pycache__/\n")
    git(copied.root, "init", "-q")
    git(copied.root, "add", ".")
    git(copied.root, "commit", "-qm", "all")
    return copied


def stage(project: Project, *words: str) -> None:
    git(project.root, "add", "--all", *(words or (".",)))


def commit(project: Project) -> None:
    stage(project)
    git(project.root, "commit", "-qm", "more")


def meaning(project: Project) -> None:
    """Change what the check does, so that its evidence is stale."""
    path = project.root / "small_checks" / "wholeness.py"
    path.write_text(path.read_text() + "\nMORE = 1\n")


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


def test_what_is_staged_in_part_is_judged_by_that_part(committed: Project) -> None:
    second = dict(CLAUSE) | {"id": TWO, "check": "small_checks.nothing:here"}
    committed.contract(dict(CLAUSE) | CLAIM, second)
    stage(committed)
    committed.contract(**CLAIM)
    ended = committed.pv("gate", "--json")
    assert ended.code == Exit.REJECTED
    assert {one["code"] for one in ended.json["findings"]} >= {"PV-CHECK-001"}
    assert [one["falsifier"] for one in ended.json["moved"]] == [f"small-v1#{TWO}"]


def test_places_are_those_that_can_be_opened(committed: Project) -> None:
    committed.contract(**CLAIM, check="small_checks.wholeness:nothing")
    stage(committed)
    said = committed.pv("gate").said
    assert "\ncontracts/small-v1.yaml:" in said
    assert "pv-gate-" not in said
    assert "pv-gate-" not in json.dumps(committed.pv("gate", "--json").json)


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


def test_before_the_first_commit_everything_is_new(copied: Project) -> None:
    git(copied.root, "init", "-q")
    stage(copied)
    ended = copied.pv("gate")
    assert ended.code == Exit.ACCEPTED
    assert f"new       {ADDRESS}: nothing → DISCHARGED" in ended.out


def test_paths_that_are_announced_are_not_staged(committed: Project) -> None:
    (committed.root / "contracts" / "later-v1.yaml").write_text("metadata: [")
    git(committed.root, "add", "--intent-to-add", "contracts/later-v1.yaml")
    assert committed.pv("gate").code == Exit.ACCEPTED
    assert committed.pv("gate", "--all-files").code == Exit.ACCEPTED


def test_a_conflict_is_to_be_resolved_first(committed: Project) -> None:
    git(committed.root, "checkout", "-qb", "side")
    committed.contract(**CLAIM, rule="one way")
    commit(committed)
    git(committed.root, "checkout", "-q", "-")
    committed.contract(**CLAIM, rule="another way")
    commit(committed)
    with pytest.raises(subprocess.CalledProcessError):
        git(committed.root, "merge", "side")
    ended = committed.pv("gate")
    assert ended.code == Exit.USAGE
    assert "not merged yet" in ended.said


def test_a_merge_is_held_against_the_branch_that_it_goes_into(committed: Project) -> None:
    git(committed.root, "checkout", "-qb", "side")
    meaning(committed)
    commit(committed)
    git(committed.root, "checkout", "-q", "-")
    committed.contract(dict(CLAUSE) | CLAIM, dict(CLAUSE) | {"id": TWO})
    assert committed.pv("discharge", TWO).code == 0
    commit(committed)
    git(committed.root, "merge", "-q", "--no-commit", "--no-ff", "side")
    document = committed.pv("gate", "--json").json
    # Neither side was wrong; together they are.
    assert sorted(one["falsifier"] for one in document["stale"]) == [ADDRESS, f"small-v1#{TWO}"]


def test_commits_are_held_against_each_other(committed: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    meaning(committed)
    commit(committed)
    (committed.root / "pv.toml").unlink()  # neither the working tree nor the index is looked at
    stage(committed)
    git(committed.root, "reset", "-q", "--soft", "HEAD")
    words = ["--from-ref", "HEAD~", "--to-ref", "HEAD"]
    for found in (committed.pv("gate", "--json", *words), committed.pv("gate", "--json", "--base", "HEAD~")):
        assert found.code in {Exit.ACCEPTED, Exit.REJECTED}
    document = committed.pv("gate", "--json", *words).json
    assert [one["falsifier"] for one in document["stale"]] == [ADDRESS]
    monkeypatch.setenv("PRE_COMMIT_FROM_REF", "HEAD~")
    monkeypatch.setenv("PRE_COMMIT_TO_REF", "HEAD")
    assert committed.pv("gate", "--json").json["moved"] == document["moved"]


def test_a_pull_request_is_held_against_where_it_began(committed: Project) -> None:
    git(committed.root, "checkout", "-qb", "side")
    meaning(committed)
    commit(committed)
    git(committed.root, "checkout", "-q", "-")
    committed.contract(**CLAIM, rule="the branch went on")
    commit(committed)
    git(committed.root, "checkout", "-q", "side")
    document = committed.pv("gate", "--json", "--base", "@{-1}").json
    assert [one["falsifier"] for one in document["moved"]] == [ADDRESS]
    assert document["contracts"]["judged"] == []


def test_a_project_in_a_folder_of_its_repository(committed: Project, tmp_path: Path) -> None:
    top = tmp_path / "top"
    (top / "docs").mkdir(parents=True)
    committed.root.rename(top / "project")
    moved = Project.__new__(Project)
    moved.root = top / "project"
    git(moved.root, "rev-parse", "HEAD")
    subprocess.run(["rm", "-rf", str(moved.root / ".git")], check=True)
    git(top, "init", "-q")
    git(top, "add", ".")
    git(top, "commit", "-qm", "all")
    assert "nothing of pv's" in moved.pv("gate").out
    meaning(moved)
    stage(moved)
    document = moved.pv("gate", "--json").json
    assert [one["falsifier"] for one in document["stale"]] == [ADDRESS]
    assert document["contracts"]["touched"] == {
        "project/contracts/small-v1.yaml": "project/small_checks/wholeness.py"
    }
    assert [one["here"] for one in document["stale"]] == ["can"]


def hook(project: Project, *words: str, before: str = "") -> None:
    path = Path(git(project.root, "rev-parse", "--git-path", "hooks").stdout.strip())
    path = project.root / path / "pre-commit"
    path.parent.mkdir(exist_ok=True)
    command = " ".join(["-m", "pv", "gate", *words])
    path.write_text(f"#!/bin/sh\n{before}\nPYTHONPATH={ROOT} exec {sys.executable} {command}\n")
    path.chmod(0o755)


def commits(project: Project, *words: str) -> tuple[bool, str]:
    try:
        done = git(project.root, "commit", "-m", "x", *words)
    except subprocess.CalledProcessError as error:
        return False, error.stdout + error.stderr
    return True, done.stdout + done.stderr


@pytest.mark.parametrize("before", ["", "cd contracts"])
def test_the_index_of_a_commit_of_some_files_is_the_one_that_is_judged(
    committed: Project, before: str
) -> None:
    hook(committed, before=before)
    committed.contract(dict(CLAUSE) | {"covers": ["NONE-1"]}, stem="other-v1")
    stage(committed)
    committed.contract(**CLAIM, rule="another way to say it")
    # other-v1 is staged and wrong; the commit of one file leaves it out.
    done, said = commits(committed, "contracts/small-v1.yaml")
    assert "1 contract(s)" in said, said
    assert "other-v1" not in said
    assert not done  # the clause was reworded under one version
    committed.contract(**CLAIM)
    (committed.root / "contracts/other-v1.yaml").unlink()
    committed.contract(dict(CLAUSE) | {"id": TWO}, stem="third-v1")
    git(committed.root, "add", "contracts/third-v1.yaml")
    done, said = commits(committed, "-a")
    assert done, said


def test_a_worktree_has_an_index_of_its_own(committed: Project, tmp_path: Path) -> None:
    git(committed.root, "worktree", "add", "-q", str(tmp_path / "aside"))
    aside = Project.__new__(Project)
    aside.root = tmp_path / "aside"
    hook(committed)
    committed.contract(dict(CLAUSE) | {"covers": ["NONE-1"]}, stem="other-v1")
    stage(committed)
    assert "nothing of pv's" in aside.pv("gate").out
    aside.contract(dict(CLAUSE) | {"id": TWO}, stem="third-v1")
    stage(aside)
    done, said = commits(aside)
    assert done, said
    assert "1 contract(s)" in said
    assert not commits(committed)[0]


def test_what_became_stale_is_run_and_is_to_be_staged(committed: Project) -> None:
    meaning(committed)
    stage(committed)
    ended = committed.pv("gate", "--run", "--budget", "1 min", "--stale", "fail")
    assert ended.code == Exit.REJECTED
    assert f"ran       {ADDRESS}: PASS" in ended.out
    assert "new evidence that is not staged" in ended.out
    stage(committed, "evidence")
    ended = committed.pv("gate", "--stale", "fail")
    assert ended.code == Exit.ACCEPTED, ended.said
    assert "stale" not in ended.out


def test_what_fits_no_budget_is_told_and_not_run(committed: Project) -> None:
    meaning(committed)
    stage(committed)
    before = committed.evidence()
    for path in (committed.root / "evidence").rglob("*.json"):
        whole = json.loads(path.read_text())
        whole["predicate"]["run"]["seconds"] = 90.0
        path.write_text(json.dumps(whole))
    ended = committed.pv("gate", "--run", "--budget", "30s")
    assert ended.code == Exit.ACCEPTED
    assert "not run" in ended.out
    assert "3 min when it was recorded" in ended.out.replace("3 min 0 s", "3 min")
    git(committed.root, "checkout", "-q", "--", "evidence")
    assert committed.evidence() == before


def test_a_run_that_fails_rejects(committed: Project) -> None:
    committed.edit(
        "small_checks/wholeness.py",
        'run.record("distance"',
        'run.record("distance", 0.4) or run.record("distance"',
    )
    stage(committed)
    ended = committed.pv("gate", "--run")
    assert ended.code == Exit.REJECTED, ended.said
    assert f"ran       {ADDRESS}: FAIL" in ended.out


def test_nothing_is_run_where_the_working_tree_is_another(committed: Project) -> None:
    meaning(committed)
    stage(committed)
    meaning(committed)
    (committed.root / "small_checks" / "wholeness.py").write_text(
        (committed.root / "small_checks" / "wholeness.py").read_text() + "\nOTHER = 2\n"
    )
    ended = committed.pv("gate", "--run", "--stale", "fail")
    assert ended.code == Exit.ACCEPTED
    assert "not run" in ended.out
    assert "the working tree differs" in ended.out


def test_what_this_host_cannot_judge_is_told_and_accepted(committed: Project) -> None:
    (committed.root / "data" / "shipped.txt").unlink()
    meaning(committed)
    git(committed.root, "add", "small_checks")
    ended = committed.pv("gate", "--run", "--stale", "fail")
    assert ended.code == Exit.ACCEPTED, ended.said
    assert "not here:" in ended.out


def test_nothing_of_the_repository_is_executed(committed: Project) -> None:
    marker = committed.root / "executed"
    path = committed.root / "small_checks" / "wholeness.py"
    path.write_text(path.read_text() + f"\nopen({str(marker)!r}, 'w').close()\n")
    stage(committed)
    for words in ([], ["--all-files"], ["--format", "markdown"], ["--stale", "fail"]):
        committed.pv("gate", *words)
    assert not marker.exists()


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


def test_a_comment_says_how_the_tally_moved(committed: Project) -> None:
    committed.contract(dict(CLAUSE) | {"id": TWO}, stem="other-v1")
    commit(committed)
    meaning(committed)
    stage(committed)
    ended = committed.pv("gate", "--format", "markdown")
    lines = ended.out.splitlines()
    assert lines[0] == "<!-- pv gate -->"
    assert "**1 + 1 → 0 + 2** (discharged + not yet)" in lines
    assert "\N{MINUS SIGN}1 DISCHARGED, &#43;1 STALE" in "\n".join(lines).replace(", +1", ", &#43;1")
    assert "#### What got stale" in lines


def test_text_of_a_contract_is_no_markup_in_a_comment(committed: Project) -> None:
    committed.contract(dict(CLAUSE) | CLAIM | {"id": "FALSIFY-<img src=x>-@team-|-`x`-001"}, stem="other-v1")
    stage(committed)
    out = committed.pv("gate", "--format", "markdown").out
    assert "<img" not in out
    assert "@team" not in out
    assert len(out) < 65_536


def test_reports_have_the_findings_and_a_result_for_each_falsifier(
    committed: Project, tmp_path: Path
) -> None:
    meaning(committed)
    committed.contract(dict(CLAUSE) | CLAIM, dict(CLAUSE) | {"id": TWO, "covers": ["NONE-1"]})
    stage(committed)
    files = {name: tmp_path / name for name in ("json", "sarif", "junit")}
    ended = committed.pv("gate", *(w for n, f in files.items() for w in ("--report", f"{n}:{f}")))
    assert ended.code == Exit.REJECTED
    report = json.loads(files["json"].read_text())
    assert report["ended"] == "rejected"
    assert {one["address"]: one["status"] for one in report["results"]} == {
        ADDRESS: "STALE",
        f"small-v1#{TWO}": "UNBOUND",
    }
    places = [one["file"] for one in report["findings"]] + [one["where"]["file"] for one in report["results"]]
    assert set(places) == {"contracts/small-v1.yaml"}
    assert "contracts/small-v1.yaml" in files["sarif"].read_text()


def test_a_contract_that_is_no_yaml_rejects(committed: Project) -> None:
    (committed.root / "contracts" / "bad-v1.yaml").write_text("metadata: [")
    stage(committed)
    ended = committed.pv("gate")
    assert ended.code == Exit.REJECTED
    assert "contracts/bad-v1.yaml:2" in ended.out


def test_outside_of_git_it_says_so(copied: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(copied.root.parent))
    ended = copied.pv("gate")
    assert ended.code == Exit.USAGE
    assert "git repository" in ended.said
