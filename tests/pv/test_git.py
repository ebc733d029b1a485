from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pv.errors import SelectionError
from pv.git import find_repository


def git(folder: Path, *words: str) -> str:
    own = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", *own, *words], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    for name in ("one", "other"):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub" / "a").write_text(name)
        git(tmp_path / name, "init", "-q")
        git(tmp_path / name, "add", ".")
        git(tmp_path / name, "commit", "-qm", "a")
    return tmp_path


@pytest.mark.parametrize("inside", [".", "sub"])
@pytest.mark.parametrize(
    "variables",
    [{}, {"GIT_DIR": ".git"}, {"GIT_INDEX_FILE": ".git/index"}, {"GIT_DIR": ".git", "GIT_WORK_TREE": "."}],
)
def test_the_variables_of_a_hook_mean_what_they_meant_to_git(
    made: Path, monkeypatch: pytest.MonkeyPatch, inside: str, variables: dict[str, str]
) -> None:
    monkeypatch.chdir(made / "one" / inside)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = find_repository(Path.cwd())
    assert found.top == made / "one"
    assert found.text("ls-files", "--full-name") == "sub/a"
    assert found.text("rev-parse", "--show-prefix") == ""


def test_variables_of_another_repository_are_left_out(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", str(made / "other" / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(made / "other" / ".git" / "index"))
    found = find_repository(made / "one" / "sub")
    (data,) = found.blobs([found.text("rev-parse", ":sub/a")])
    assert data == b"one"


def test_an_index_of_its_own_is_the_one_that_is_read(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made / "one")
    monkeypatch.setenv("GIT_INDEX_FILE", "next-index")
    assert find_repository(Path.cwd()).text("ls-files") == ""
    git(made / "one", "read-tree", "HEAD")
    assert find_repository(Path.cwd()).text("ls-files") == "sub/a"


def test_blobs_come_as_they_are_and_in_order(made: Path) -> None:
    contents = [b"", b"\n", b"x blob 3\nabc\n", b"\0\xff" * 1000]
    names = []
    for number, data in enumerate(contents):
        (made / "one" / f"f{number}").write_bytes(data)
        names.append(git(made / "one", "hash-object", "-w", f"f{number}"))
    found = find_repository(made / "one")
    assert list(found.blobs([*names, *reversed(names)])) == [*contents, *reversed(contents)]
    assert found.sizes(names) == [len(data) for data in contents]
    assert (list(found.blobs([])), found.sizes([])) == ([], [])
    with pytest.raises(SelectionError):
        list(found.blobs([names[0], "0" * 40]))
    with pytest.raises(SelectionError):
        found.sizes(["0" * 40])


def test_where_there_is_no_repository_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.delenv("GIT_DIR", raising=False)
    with pytest.raises(SelectionError, match="no git repository"):
        find_repository(tmp_path)
