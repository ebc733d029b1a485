from __future__ import annotations

import re
from pathlib import Path

import pytest

from pv.errors import SelectionError
from pv.git import find_repository
from pv.git_command import command, git_environment, without_filters
from pv.revision import revision
from tests.pv.conftest import ROOT
from tests.pv.staging import git


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    root.mkdir()
    git(root, "init", "-q")
    (root / "a.txt").write_text("one\n")
    git(root, "add", ".")
    git(root, "commit", "-qm", "all")
    return root


def test_git_is_started_in_one_way_only() -> None:
    """Each of our programs that starts git has the words and the variables from here."""
    starts = re.compile(r"""\[\s*["']git["'],""")
    files = [path for path in (ROOT / "pv").rglob("*.py") if starts.search(path.read_text(encoding="utf-8"))]
    assert [path.name for path in files] == ["git_command.py"]
    uses = [path.name for path in (ROOT / "pv").rglob("*.py") if re.search(r"\bcommand\(", path.read_text())]
    assert {"git.py", "git_objects.py", "revision.py"} <= set(uses)


def test_what_is_missing_is_not_fetched_from_where_the_repository_says(
    repository: Path, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    blob = git(repository, "rev-parse", "HEAD:a.txt").strip()
    settings = {
        "core.repositoryformatversion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.url": str(repository),
        "remote.origin.promisor": "true",
        "remote.origin.uploadpack": f"touch {mark};",
        "protocol.allow": "always",
        "protocol.file.allow": "always",
    }
    for name, value in settings.items():
        git(repository, "config", name, value)
    (repository / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(SelectionError):
        list(find_repository(repository).blobs([blob]))
    assert not mark.exists()


def test_a_folder_of_the_tree_is_no_repository_by_what_lies_in_it(repository: Path, tmp_path: Path) -> None:
    """Git takes a folder with HEAD, objects and refs for a repository, and runs what its settings say."""
    inside = repository / "project"
    inside.mkdir()
    git(inside, "init", "-q", "--bare", ".")
    mark = tmp_path / "mark"
    git(inside, "config", "core.bare", "false")
    git(inside, "config", "core.worktree", ".")
    git(inside, "config", "core.fsmonitor", f"touch {mark};")
    assert revision(inside, ignoring="evidence") == {"commit": None, "dirty": None}
    assert not mark.exists()


@pytest.mark.parametrize("name", ["evil", "a=b", "a.b c", "a\u00e9"])
def test_filters_of_any_name_do_nothing_and_a_change_is_still_seen(
    repository: Path, tmp_path: Path, name: str
) -> None:
    mark = tmp_path / "mark"
    git(repository, "config", f"filter.{name}.clean", f"touch {mark}; cat")
    git(repository, "config", f"filter.{name}.process", f"touch {mark}; cat")
    git(repository, "config", f"filter.{name}.required", "true")
    (repository / ".git" / "info").mkdir(exist_ok=True)
    # A name with a blank cannot stand in attributes; its settings are switched off all the same.
    (repository / ".git" / "info" / "attributes").write_text(f"*.txt filter={name.replace(' ', '_')}\n")
    (repository / "a.txt").touch()
    assert revision(repository, ignoring="evidence")["dirty"] is False
    (repository / "a.txt").write_text("two\n")
    assert revision(repository, ignoring="evidence")["dirty"] is True
    assert not mark.exists()


def test_settings_of_the_caller_stay_beside_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    made = without_filters(git_environment(), ["filter.x.clean", "filter.x.required"])
    assert made["GIT_CONFIG_COUNT"] == "3"
    assert (made["GIT_CONFIG_KEY_1"], made["GIT_CONFIG_VALUE_1"]) == ("filter.x.clean", "")
    assert (made["GIT_CONFIG_KEY_2"], made["GIT_CONFIG_VALUE_2"]) == ("filter.x.required", "false")


def test_a_git_of_the_working_folder_is_not_found(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "mark"
    (repository / "git").write_text(f"#!/bin/sh\ntouch {mark}\n")
    (repository / "git").chmod(0o755)
    monkeypatch.chdir(repository)
    monkeypatch.setenv("PATH", f".::{git_environment()['PATH']}")
    assert find_repository(repository).commit("HEAD")
    assert revision(repository, ignoring="evidence")["commit"]
    assert not mark.exists()


def test_variables_that_name_programs_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_SSH_COMMAND", "x")
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "x")
    monkeypatch.setenv("GIT_INDEX_FILE", "index")
    made = git_environment()
    assert not {"GIT_SSH_COMMAND", "GIT_EXTERNAL_DIFF"} & set(made)
    assert made["GIT_INDEX_FILE"] == "index"
    assert command("status")[-1] == "status"
