from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pv.exits import Exit
from tests.pv.conftest import CLAUSE, ROOT, Project
from tests.pv.staging import ADDRESS, CLAIM, TWO, claimed, commit, git, meaning, stage


@pytest.fixture(autouse=True)
def _no_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("GIT_", "PRE_COMMIT"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def committed(copied: Project) -> Project:
    """A project whose falsifier is discharged and claims it, all of it committed."""
    return claimed(copied)


def test_what_is_staged_in_part_is_judged_by_that_part(committed: Project) -> None:
    second = dict(CLAUSE) | {"id": TWO, "check": "small_checks.nothing:here"}
    committed.contract(dict(CLAUSE) | CLAIM, second)
    stage(committed)
    committed.contract(**CLAIM)
    ended = committed.pv("gate", "--json")
    assert ended.code == Exit.REJECTED
    assert {one["code"] for one in ended.json["findings"]} >= {"PV-CHECK-001"}
    assert [one["falsifier"] for one in ended.json["moved"]] == [f"small-v1#{TWO}"]


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
    path = Path(git(project.root, "rev-parse", "--git-path", "hooks").strip())
    path = project.root / path / "pre-commit"
    path.parent.mkdir(exist_ok=True)
    command = " ".join(["-m", "pv", "gate", *words])
    path.write_text(f"#!/bin/sh\n{before}\nPYTHONPATH={ROOT} exec {sys.executable} {command}\n")
    path.chmod(0o755)


def commits(project: Project, *words: str) -> tuple[bool, str]:
    """Commit with the hook; return whether that went through, and what was said."""
    own = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *own, "commit", "-m", "x", *words],
        cwd=project.root,
        check=False,
        capture_output=True,
        text=True,
    )
    return done.returncode == 0, done.stdout + done.stderr


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


def test_outside_of_git_it_says_so(copied: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(copied.root.parent))
    ended = copied.pv("gate")
    assert ended.code == Exit.USAGE
    assert "git repository" in ended.said


def test_a_contract_that_is_a_link_is_what_it_leads_to(committed: Project, tmp_path: Path) -> None:
    (committed.root / "kept").mkdir()
    (committed.root / "contracts/small-v1.yaml").rename(committed.root / "kept/small.yaml")
    link = committed.root / "contracts/small-v1.yaml"
    link.symlink_to("../kept/small.yaml")
    stage(committed)
    assert committed.pv("gate").code == Exit.ACCEPTED, committed.pv("gate").said
    git(committed.root, "commit", "-qm", "a link")
    committed.edit("kept/small.yaml", "id: FALSIFY", "id_: FALSIFY")
    stage(committed)
    assert committed.pv("gate").code == Exit.REJECTED
    git(committed.root, "checkout", "-q", "HEAD", "kept")
    (tmp_path / "outside.yaml").write_text(link.read_text())
    link.unlink()
    link.symlink_to(tmp_path / "outside.yaml")
    stage(committed)
    ended = committed.pv("gate")
    assert ended.code == Exit.REJECTED
    assert "Stage the file itself" in ended.out


def test_evidence_of_no_contract_is_told(committed: Project) -> None:
    (committed.root / "evidence" / "other-v1").mkdir()
    (committed.root / "evidence" / "other-v1" / "record.json").write_text("{}")
    stage(committed)
    ended = committed.pv("gate")
    assert ended.code == Exit.ACCEPTED
    assert "note: evidence/other-v1 is evidence of no contract" in ended.out


@pytest.mark.parametrize("folders", [["sub/project"], ["a", "b"]])
def test_a_hook_at_the_top_finds_the_projects_in_folders(
    committed: Project, tmp_path: Path, folders: list[str]
) -> None:
    top = Project.__new__(Project)
    top.root = tmp_path / "top"
    for name in (name for folder in folders for name in (folder, f"{folder}/tests/nested")):
        shutil.copytree(committed.root, top.root / name, ignore=shutil.ignore_patterns(".git"))
    git(top.root, "init", "-q")
    stage(top)
    git(top.root, "commit", "-qm", "all")
    assert "nothing of pv's" in top.pv("gate").out
    for folder in folders:
        inside = Project.__new__(Project)
        inside.root = top.root / folder
        inside.contract(**CLAIM, id=TWO)
    stage(top)
    hook(top)
    done, said = commits(top)
    assert not done
    assert said.count("claims DISCHARGED, evidence supports UNBOUND") == len(folders)
    assert all(f"gate  {folder}: what is staged" in said for folder in folders)
    ended = top.pv("gate", "--json")
    documents = ended.json if len(folders) > 1 else [ended.json]
    assert [one["project"] for one in documents] == folders
    comment = top.pv("gate", "--format", "markdown").out
    assert comment.count("<!-- pv gate -->") == 1
    assert comment.count("### pv gate of ") == len(folders)
    only = top.pv("gate", "--json", f"{folders[-1]}/contracts/small-v1.yaml")
    assert only.json["project"] == folders[-1]
