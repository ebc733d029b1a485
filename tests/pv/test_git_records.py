from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pv.errors import SelectionError
from pv.evidence_transfer import Carried, carry
from pv.git import find_repository
from pv.git_objects import Blobs
from pv.git_records import committed_records
from pv.record_facts import Refused

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"
Restamp = Callable[[bytes, Mapping[str, Any]], bytes]


def git(root: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", *identity, *arguments], cwd=root, check=True, capture_output=True, text=True
    ).stdout.strip()


def commit(root: Path) -> None:
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "x")


@pytest.fixture
def repository(copied: Project) -> Project:
    git(copied.root, "init", "-q", "-b", "main")
    commit(copied.root)
    return copied


def read(project: Project) -> list[Carried | Refused]:
    return list(committed_records(project.config()).read("small-v1", ID))


def test_every_version_that_was_committed_is_there_once(repository: Project, restamp: Restamp) -> None:
    path = repository.record()
    first = carry(path)
    path.write_bytes(restamp(first.data, {"run.started_at": "2030-01-01T00:00:00+00:00"}))
    second = carry(path)
    commit(repository.root)
    path.write_bytes(first.data)  # there again: the same blob
    commit(repository.root)
    path.unlink()
    commit(repository.root)
    live = [one for one in read(repository) if isinstance(one, Carried) and "live" in one.name]
    assert sorted(live, key=lambda one: one.digest) == sorted([first, second], key=lambda one: one.digest)
    assert len(read(repository)) == 3


def test_what_a_merge_brought_is_there(repository: Project, restamp: Restamp) -> None:
    path = repository.record()
    first = path.read_bytes()
    git(repository.root, "checkout", "-q", "-b", "host")
    path.write_bytes(restamp(first, {"run.started_at": "2030-01-01T00:00:00+00:00"}))
    commit(repository.root)
    git(repository.root, "checkout", "-q", "main")
    (repository.root / "note").write_text("x", encoding="utf-8")
    commit(repository.root)
    git(repository.root, "merge", "-q", "--no-ff", "-m", "m", "host")
    assert len(read(repository)) == 3


def test_a_project_below_the_top_of_its_repository(copied: Project) -> None:
    git(copied.root.parent, "init", "-q")
    commit(copied.root.parent)
    assert [one.name for one in read(copied)] == [
        f"small-v1/{ID}/{copied.record(level).name}" for level in ("algorithm", "live")
    ]


def test_sidecars_come_along_and_missing_ones_are_named(
    repository: Project, lengthen: Callable[..., Path]
) -> None:
    carried = carry(lengthen(repository))
    commit(repository.root)
    assert carried in read(repository)
    lengthen(repository, 0.125)
    git(repository.root, "add", str(repository.record()))
    git(repository.root, "commit", "-q", "-m", "without its sidecar")
    (refused,) = (one for one in read(repository) if isinstance(one, Refused))
    assert "was never committed" in refused.why


def test_what_is_no_json_is_named(repository: Project) -> None:
    repository.record().write_text("{", encoding="utf-8")
    commit(repository.root)
    (refused,) = (one for one in read(repository) if isinstance(one, Refused))
    assert refused.name == f"small-v1/{ID}/live-shipped-cpu.json"
    assert "not strict JSON" in refused.why


def test_without_a_repository_or_a_commit_there_is_none(copied: Project) -> None:
    assert read(copied) == []
    git(copied.root, "init", "-q")
    assert read(copied) == []


def test_blobs_are_read_whatever_is_in_them(repository: Project) -> None:
    found = find_repository(repository.root)
    contents = [b"", b"\n", b"a blob 3\nx\n", bytes(range(256)) * 300]
    blobs = [found.run("hash-object", "-w", "--stdin", given=data).decode().strip() for data in contents]
    reader = Blobs(found)
    assert [reader.read(blob) for blob in blobs] == contents
    with pytest.raises(SelectionError, match="does not have all files"):
        reader.read("0" * 40)
    assert reader.read(blobs[0]) == contents[0]
    reader.close()
