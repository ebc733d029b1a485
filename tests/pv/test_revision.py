from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pv.errors import SelectionError
from pv.revision import committed_folder, revision


def git(root: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", *identity, *arguments], cwd=root, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository" / "project"
    (root / "evidence" / "c").mkdir(parents=True)
    (root / "code").write_text("1", encoding="utf-8")
    (root / "evidence" / "c" / "a+b é.json").write_text("{}", encoding="utf-8")
    git(root.parent, "init", "-q")
    git(root.parent, "add", ".")
    git(root.parent, "commit", "-q", "-m", "x")
    return root


def test_the_commit_and_whether_the_tree_is_as_committed(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    assert revision(repository, ignoring="evidence") == {"commit": commit, "dirty": False}
    (repository / "evidence" / "new.json").write_text("{}", encoding="utf-8")
    (repository / ".pv" / "built").mkdir(parents=True)
    (repository / ".pv" / "built" / "x").write_text("", encoding="utf-8")
    assert revision(repository, ignoring="evidence") == {"commit": commit, "dirty": False}
    (repository / "code").write_text("2", encoding="utf-8")
    assert revision(repository, ignoring="evidence") == {"commit": commit, "dirty": True}


def test_it_works_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert revision(tmp_path, ignoring="evidence") == {"commit": None, "dirty": None}
    monkeypatch.setenv("PATH", str(tmp_path))
    assert revision(tmp_path, ignoring="evidence") == {"commit": None, "dirty": None}


def test_a_folder_as_it_was_committed(repository: Path) -> None:
    (repository / "evidence" / "c" / "a+b é.json").write_text("changed", encoding="utf-8")
    assert committed_folder(repository, "HEAD", "evidence/c") == {"evidence/c/a+b é.json": b"{}"}
    assert committed_folder(repository, "HEAD", "evidence/none") == {}
    with pytest.raises(SelectionError, match="no git revision"):
        committed_folder(repository, "nothing", "evidence")
