"""The hooks, installed by pre-commit into environments of its own, in somebody else's repository."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.pv.conftest import CLAUSE, Project

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = Path(sys.executable).with_name("pre-commit")
CONFIG = """\
repos:
- repo: {url}
  rev: {revision}
  hooks:
  - id: pv-validate
  - id: pv-gate
"""


def run(folder: Path, *words: str | Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which pre-commit keeps everything below a temporary folder."""
    assert PROGRAM.is_file(), "pre-commit is not installed: pip install 'pv[services]'"
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("GIT_", "PRE_COMMIT", "PYTHON"))}
    folder = tmp_path_factory.mktemp("home")
    names = {"NAME": "a", "EMAIL": "a@b"}
    who = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in names.items()}
    return kept | who | {"HOME": str(folder), "PRE_COMMIT_HOME": str(folder / "store")}


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory, variables: Mapping[str, str]) -> tuple[Path, str]:
    """A clone of what is committed here, and its commit."""
    clone = tmp_path_factory.mktemp("hooks") / "pv"
    done = run(ROOT, "git", "clone", "-q", "--no-hardlinks", ROOT, clone, env=variables)
    assert done.returncode == 0, done.stderr
    return clone, run(clone, "git", "rev-parse", "HEAD", env=variables).stdout.strip()


@pytest.fixture
def theirs(tmp_path: Path, hooks: tuple[Path, str], variables: Mapping[str, str]) -> Project:
    """A clean clone of another repository, which has the hooks installed."""
    first = Project(tmp_path / "first")
    (first.root / ".gitignore").write_text(".pv/\n__pycache__/\n")
    url, revision = hooks
    (first.root / ".pre-commit-config.yaml").write_text(CONFIG.format(url=url, revision=revision))
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        assert run(first.root, "git", *words, env=variables).returncode == 0
    assert run(tmp_path, "git", "clone", "-q", "first", "theirs", env=variables).returncode == 0
    found = Project.__new__(Project)
    found.root = tmp_path / "theirs"
    done = run(found.root, PROGRAM, "install", "--install-hooks", env=variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return found


@pytest.mark.service
def test_a_clean_clone_passes_and_the_installation_is_light(
    theirs: Project, variables: Mapping[str, str]
) -> None:
    done = run(theirs.root, PROGRAM, "run", "--all-files", "--verbose", env=variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Contract is valid." in done.stdout
    assert "nothing of pv's was touched" in done.stdout
    packages = {path.name.split("-")[0] for path in Path(variables["HOME"]).rglob("*.dist-info")}
    assert "pydantic_core" in packages
    assert not packages & {"numpy", "torch", "jinja2", "SQLAlchemy", "fsspec"}


@pytest.mark.service
def test_a_commit_is_judged_as_it_is_staged(theirs: Project, variables: Mapping[str, str]) -> None:
    good = (theirs.root / "contracts/small-v1.yaml").read_text()
    theirs.contract(discharge_status="DISCHARGED")
    run(theirs.root, "git", "add", ".", env=variables)
    (theirs.root / "contracts/small-v1.yaml").write_text(good)  # mended, and not staged
    done = run(theirs.root, "git", "commit", "-m", "a claim", env=variables)
    assert done.returncode == 1
    assert "claims DISCHARGED, evidence supports UNBOUND" in done.stdout + done.stderr
    run(theirs.root, "git", "add", ".", env=variables)
    theirs.contract(dict(CLAUSE) | {"id": "FALSIFY-SMALL-002"}, stem="more-v1")
    run(theirs.root, "git", "add", "contracts", env=variables)
    (theirs.root / "contracts/more-v1.yaml").write_text("metadata: [")  # broken, and not staged
    done = run(theirs.root, "git", "commit", "-m", "another", env=variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (theirs.root / "contracts/more-v1.yaml").read_text() == "metadata: ["


@pytest.mark.service
def test_the_index_of_a_partial_commit_and_a_commit_that_only_deletes(
    theirs: Project, variables: Mapping[str, str]
) -> None:
    theirs.contract(discharge_status="DISCHARGED")
    (theirs.root / "notes.txt").write_text("nothing")
    run(theirs.root, "git", "add", ".", env=variables)
    done = run(theirs.root, "git", "commit", "-m", "notes", "notes.txt", env=variables)
    assert done.returncode == 0, done.stdout + done.stderr
    done = run(theirs.root, "git", "commit", "-a", "-m", "all", env=variables)
    assert done.returncode == 1
    run(theirs.root, "git", "reset", "-q", "--hard", env=variables)
    run(theirs.root, "git", "rm", "-q", "small_checks/wholeness.py", env=variables)
    done = run(theirs.root, "git", "commit", "-m", "less", env=variables)
    assert done.returncode == 1
    assert "PV-CHECK-001" in done.stdout + done.stderr


@pytest.mark.service
def test_a_range_of_commits_is_judged_in_ci(theirs: Project, variables: Mapping[str, str]) -> None:
    theirs.contract(discharge_status="DISCHARGED")
    run(theirs.root, "git", "commit", "-a", "-q", "--no-verify", "-m", "past the hook", env=variables)
    words = ("run", "pv-gate", "--from-ref", "HEAD~", "--to-ref", "HEAD")
    done = run(theirs.root, PROGRAM, *words, env=variables)
    assert done.returncode == 1
    assert "claims DISCHARGED" in done.stdout
