from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pv.errors import ConfigError, SelectionError
from pv.revision_tree import LARGEST_SUBJECT_BYTES, materialised

if TYPE_CHECKING:
    from tests.pv.conftest import Project


def git(root: Path, *arguments: str) -> str:
    names = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        ["git", "-C", str(root), *names, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def commit(root: Path, message: str = "state") -> str:
    if not (root / ".git").exists():
        git(root, "init", "-q")
    git(root, "add", "-A", "-f", ".")
    git(root, "commit", "-q", "--allow-empty", "-m", message)
    return git(root, "rev-parse", "HEAD")


def test_it_is_the_tree_of_the_commit_and_goes_away(project: Project) -> None:
    first = commit(project.root)
    (project.root / "contracts" / "small-v1.yaml").unlink()
    (project.root / "new.py").write_text("x = 1\n")
    commit(project.root)
    with materialised(project.root, "HEAD~1") as past:
        root = past.config.root
        assert past.commit == first
        assert (root / "contracts" / "small-v1.yaml").is_file()
        assert not (root / "new.py").exists()
        assert past.config.subjects.keys() == project.config().subjects.keys()
    assert not root.exists()


def test_the_working_tree_and_the_index_do_not_show(project: Project) -> None:
    commit(project.root)
    project.edit("pv.toml", 'evidence = "evidence"', 'evidence = "elsewhere"')
    git(project.root, "add", "pv.toml")
    with materialised(project.root, "HEAD") as past:
        assert past.config.evidence == past.config.root / "evidence"


def test_large_subjects_are_left_out_and_large_evidence_is_not(project: Project) -> None:
    large = b"\0" * (LARGEST_SUBJECT_BYTES + 1)
    (project.root / "data" / "shipped.txt").write_bytes(large)
    (project.root / "evidence").mkdir()
    (project.root / "evidence" / "x.series.json").write_bytes(large)
    commit(project.root)
    with materialised(project.root, "HEAD") as past:
        assert not (past.config.root / "data" / "shipped.txt").exists()
        assert (past.config.root / "data" / "stand-in.txt").is_file()
        assert (past.config.root / "evidence" / "x.series.json").read_bytes() == large


def test_attributes_of_the_tree_change_nothing(project: Project) -> None:
    (project.root / ".gitattributes").write_text("contracts export-ignore\n*.py export-subst\n")
    (project.root / "small_checks" / "scale.py").write_text("SCALE = '$Format:%H$'\n")
    commit(project.root)
    with materialised(project.root, "HEAD") as past:
        assert (past.config.root / "contracts" / "small-v1.yaml").is_file()
        assert "$Format:%H$" in (past.config.root / "small_checks" / "scale.py").read_text()


def test_a_project_below_the_top_of_its_repository_takes_sources_beside_it(
    project: Project, tmp_path: Path
) -> None:
    top = tmp_path / "top"
    (top / "library").mkdir(parents=True)
    (top / "library" / "beside.py").write_text("y = 2\n")
    (top / "unrelated.txt").write_text("not read\n")
    project.edit("pv.toml", 'sources = ["."]', 'sources = [".", "../library"]')
    project.root.rename(top / "inner")
    commit(top)
    with materialised(top / "inner", "HEAD") as past:
        folder = past.config.root
        assert folder.name == "inner"
        assert past.config.sources == (folder, folder.parent / "library")
        assert (folder.parent / "library" / "beside.py").is_file()
        assert not (folder.parent / "unrelated.txt").exists()


def test_what_a_project_keeps_beside_it_is_read_too(project: Project, tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    project.edit("pv.toml", 'contracts = ["contracts"]', 'contracts = ["../claims"]')
    project.edit("pv.toml", 'evidence = "evidence"', 'evidence = "../records"')
    (project.root / "contracts").rename(top / "claims")
    (top / "records").mkdir()
    (top / "records" / "a.json").write_text("{}")
    project.root.rename(top / "inner")
    commit(top)
    with materialised(top / "inner", "HEAD") as past:
        folder = past.config.root.parent
        assert (folder / "claims" / "small-v1.yaml").is_file()
        assert (folder / "records" / "a.json").is_file()


@pytest.mark.parametrize(
    "words",
    ["[project]\nsources = 3\n", "subjects = 3\n", '[subjects]\nweights = "its path"\n', "project = 3\n"],
)
def test_a_configuration_of_another_shape_is_said_to_be_one(project: Project, words: str) -> None:
    text = (project.root / "pv.toml").read_text()
    (project.root / "pv.toml").write_text(words)
    (project.root / "large.bin").write_bytes(bytes(LARGEST_SUBJECT_BYTES + 1))
    commit(project.root)
    (project.root / "pv.toml").write_text(text)
    with pytest.raises(ConfigError, match="at HEAD: "), materialised(project.root, "HEAD"):
        pass


def test_links_are_made_within_the_tree_and_never_out_of_it(project: Project, tmp_path: Path) -> None:
    (tmp_path / "outside.yaml").write_text("secret: 1\n")
    (project.root / "contracts" / "again-v1.yaml").symlink_to("small-v1.yaml")
    (project.root / "contracts" / "out-v1.yaml").symlink_to(tmp_path / "outside.yaml")
    (project.root / "contracts" / "up-v1.yaml").symlink_to("../../outside.yaml")
    commit(project.root)
    with materialised(project.root, "HEAD") as past:
        names = {path.name for path in (past.config.root / "contracts").iterdir()}
        assert names == {"small-v1.yaml", "again-v1.yaml"}
        assert (past.config.root / "contracts" / "again-v1.yaml").read_text().startswith("metadata:")


def test_names_that_are_no_utf8_or_hold_a_line_feed_are_read(project: Project) -> None:
    odd = project.root / "data" / "a\nb\udcff.txt"
    odd.write_text("odd\n")
    commit(project.root)
    with materialised(project.root, "HEAD") as past:
        assert (past.config.root / "data" / odd.name).read_text() == "odd\n"


@pytest.mark.parametrize("reference", ["nonsense", "--all", "", "HEAD:pv.toml", "HEAD^{tree}"])
def test_what_is_no_commit_is_refused(project: Project, reference: str) -> None:
    commit(project.root)
    with (
        pytest.raises(SelectionError, match="is no git revision here"),
        materialised(project.root, reference),
    ):
        pass


def test_a_tag_and_a_branch_are_revisions(project: Project) -> None:
    head = commit(project.root)
    git(project.root, "tag", "-a", "v1", "-m", "one")
    git(project.root, "branch", "side")
    for reference in ("v1", "side", head[:8]):
        with materialised(project.root, reference) as past:
            assert past.commit == head


def test_without_a_project_there_or_without_git_it_says_so(project: Project) -> None:
    with pytest.raises(SelectionError, match="git revision"), materialised(project.root, "HEAD"):
        pass
    text = (project.root / "pv.toml").read_text()
    (project.root / "pv.toml").unlink()
    commit(project.root)
    (project.root / "pv.toml").write_text(text)
    with pytest.raises(SelectionError, match=r"HEAD has no pv\.toml"), materialised(project.root, "HEAD"):
        pass


def test_a_configuration_that_cannot_be_read_is_that_of_the_revision(project: Project) -> None:
    text = (project.root / "pv.toml").read_text()
    (project.root / "pv.toml").write_text("[project\n")
    commit(project.root)
    (project.root / "pv.toml").write_text(text)
    with pytest.raises(ConfigError, match="at HEAD: "), materialised(project.root, "HEAD"):
        pass
