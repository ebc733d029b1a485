"""Projects in git repositories, to be changed and staged."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.pv.conftest import Project

ONE, TWO, GATE = "FALSIFY-SMALL-001", "FALSIFY-SMALL-002", "FALSIFY-SMALL-003"
ADDRESS = f"small-v1#{ONE}"
CLAIM = {"discharge_status": "DISCHARGED"}


def git(folder: Path, *words: str) -> str:
    """Run git, as nobody in particular and in no hook; return what it prints."""
    own = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false", "-c", "gc.auto=0"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(
        ["git", *own, *words], cwd=folder, check=True, capture_output=True, text=True, env=kept
    ).stdout


def claimed(project: Project) -> Project:
    """Let a project whose falsifier is discharged claim it, and commit all of it."""
    project.contract(**CLAIM)
    (project.root / ".gitignore").write_text(".pv/\n__pycache__/\n")
    git(project.root, "init", "-q")
    git(project.root, "add", ".")
    git(project.root, "commit", "-qm", "all")
    return project


def stage(project: Project, *words: str) -> None:
    git(project.root, "add", "--all", *(words or (".",)))


def commit(project: Project) -> None:
    stage(project)
    git(project.root, "commit", "-qm", "more")


def meaning(project: Project) -> None:
    """Change what the check does, so that its evidence is stale."""
    path = project.root / "small_checks" / "wholeness.py"
    path.write_text(path.read_text() + "\nMORE = 1\n")
