from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

import pytest

from pv.contract_sources import at_revision, pairs
from pv.errors import DocumentError, PvError, SelectionError
from tests.pv.conftest import Project
from tests.pv.staging import commit, git


@pytest.fixture
def repository(project: Project) -> Project:
    """A project below the top of a repository, of which the working tree says another version than HEAD."""
    git(project.root, "init", "-q")
    commit(project)
    project.edit("contracts/small-v1.yaml", "version: 1.0.0", "version: 1.1.0")
    return project


def versions(project: Project, old: str, new: str) -> list[tuple[str | None, str | None]]:
    with contextlib.chdir(project.root):
        found = pairs(old, new)
    return [(one and one.version, other and other.version) for one, other in found]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("HEAD:contracts/small-v1.yaml", "contracts/small-v1.yaml"),
        ("HEAD:./contracts/small-v1.yaml", "contracts/small-v1.yaml"),
        ("HEAD:contracts", "contracts"),
        ("HEAD:contracts/", "contracts/"),
        ("HEAD:./contracts", "contracts"),
    ],
)
def test_a_side_may_be_of_the_past(repository: Project, old: str, new: str) -> None:
    assert versions(repository, old, new) == [("1.0.0", "1.1.0")]
    assert versions(repository, new, old) == [("1.1.0", "1.0.0")]


def test_two_files_are_a_pair_whatever_their_names(repository: Project) -> None:
    other = repository.root / "put-aside.yaml"
    other.write_bytes((repository.root / "contracts/small-v1.yaml").read_bytes())
    assert versions(repository, "HEAD:contracts/small-v1.yaml", "put-aside.yaml") == [("1.0.0", "1.1.0")]


def test_of_two_folders_what_is_on_one_side_only_is_shown_alone(repository: Project) -> None:
    repository.contract(stem="new-v1")
    (repository.root / "contracts/registry.yaml").write_text("bindings: []\ntarget_crate: x\n")
    assert versions(repository, "HEAD:contracts", "contracts") == [(None, "1.0.0"), ("1.0.0", "1.1.0")]
    assert versions(repository, "contracts", "HEAD:contracts") == [("1.0.0", None), ("1.1.0", "1.0.0")]


def test_a_contract_that_was_moved_is_still_the_one_of_its_name(repository: Project) -> None:
    contracts = repository.root / "contracts"
    (contracts / "moved").mkdir()
    (contracts / "small-v1.yaml").rename(contracts / "moved/small-v1.yml")
    assert versions(repository, "HEAD:contracts", "contracts") == [("1.0.0", "1.1.0")]
    assert versions(repository, "contracts", "HEAD:contracts") == [("1.1.0", "1.0.0")]
    # Of two of one name, nobody can tell which was moved.
    (contracts / "small-v1.yml").write_bytes((contracts / "moved/small-v1.yml").read_bytes())
    assert versions(repository, "HEAD:contracts", "contracts") == [
        (None, "1.1.0"),
        ("1.0.0", None),
        (None, "1.1.0"),
    ]


def test_a_file_with_a_colon_in_its_name_is_a_file(repository: Project) -> None:
    (repository.root / "HEAD:contracts").mkdir()
    (repository.root / "HEAD:contracts" / "small-v1.yaml").write_bytes(
        (repository.root / "contracts/small-v1.yaml").read_bytes()
    )
    assert versions(repository, "HEAD:contracts", "contracts") == [("1.1.0", "1.1.0")]


def test_links_of_the_past_are_not_followed_and_hidden_files_are_none(repository: Project) -> None:
    (repository.root / "contracts/link-v1.yaml").symlink_to("small-v1.yaml")
    (repository.root / "contracts/.hidden.yaml").write_text("- no contract")
    git(repository.root, "add", "-A")
    git(repository.root, "commit", "-qm", "more")
    assert versions(repository, "HEAD:contracts", "HEAD:contracts") == [("1.1.0", "1.1.0")]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("HEAD:contracts", "contracts/small-v1.yaml", "one side is a file and the other a folder"),
        ("nowhere:contracts", "contracts", "'nowhere' is no git revision here"),
        ("HEAD:gone", "contracts", "HEAD has no contract at gone"),
        ("HEAD:../x", "contracts", "leads out of the repository"),
        ("HEAD:./../../../x", "contracts", "leads out of the repository"),
        ("gone.yaml", "contracts/small-v1.yaml", "there is no file or folder gone.yaml"),
        (":contracts", "contracts", "there is no file or folder :contracts"),
        ("-x:contracts", "contracts", "is no git revision here"),
    ],
)
def test_what_names_nothing_is_refused(repository: Project, old: str, new: str, said: str) -> None:
    with pytest.raises(SelectionError, match=re.escape(said)):
        versions(repository, old, new)


def test_outside_of_a_repository_there_is_no_past(tmp_path: Path) -> None:
    with contextlib.chdir(tmp_path), pytest.raises(SelectionError, match="git repository"):
        pairs("HEAD:contracts", ".")


def test_a_contract_of_the_past_that_cannot_be_read_says_where(repository: Project) -> None:
    path = repository.root / "contracts/small-v1.yaml"
    path.write_bytes(b"metadata: \xff\n")
    git(repository.root, "add", "-A")
    git(repository.root, "commit", "-qm", "broken")
    with pytest.raises(DocumentError, match="is not UTF-8") as caught:
        versions(repository, "HEAD:contracts/small-v1.yaml", "HEAD~:contracts/small-v1.yaml")
    assert caught.value.where is not None
    assert caught.value.where.path == "HEAD:contracts/small-v1.yaml"


def test_the_history_is_read_by_git_and_nothing_of_it_is_run(repository: Project) -> None:
    mark = repository.root.parent / "mark"
    git(repository.root, "config", "filter.evil.smudge", f"touch {mark}")
    git(repository.root, "config", "diff.evil.textconv", f"touch {mark}")
    (repository.root / ".gitattributes").write_text("*.yaml filter=evil diff=evil\n")
    assert versions(repository, "HEAD:contracts", "contracts") == [("1.0.0", "1.1.0")]
    assert not os.path.lexists(mark)


def test_one_file_as_it_was_committed_wherever_one_stands(repository: Project) -> None:
    path = repository.root / "contracts" / "small-v1.yaml"
    with contextlib.chdir("/"):
        found = at_revision("HEAD", path)
    assert found is not None
    assert found.version == "1.0.0"
    fresh = path.with_name("fresh-v1.yaml")
    fresh.write_bytes(path.read_bytes())
    assert at_revision("HEAD", fresh) is None
    with pytest.raises(SelectionError, match="no git revision"):
        at_revision("no-such-branch", path)
    path.write_text("no: contract\n")
    commit(repository)
    with pytest.raises(PvError):
        at_revision("HEAD", path)
