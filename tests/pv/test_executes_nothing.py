"""What looks at a repository runs nothing of it: each command as a process, in a folder full of traps."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.pv.conftest import ROOT, Project
from tests.pv.hostile_repository import COMMANDS, Marks, hostile
from tests.pv.staging import ONE

SECONDS = 60


@pytest.fixture(scope="module")
def marks(tmp_path_factory: pytest.TempPathFactory) -> Marks:
    return Marks(tmp_path_factory.mktemp("marks"))


@pytest.fixture(scope="module")
def repository(discharged: Project, marks: Marks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = Project.__new__(Project)
    project.root = tmp_path_factory.mktemp("hostile") / "repository"
    shutil.copytree(discharged.root, project.root, ignore=shutil.ignore_patterns("__pycache__"))
    made = hostile(project, marks)
    marks.found()  # making it executed some
    return made


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program `pv` as an installer writes it."""
    path = tmp_path_factory.mktemp("bin") / "pv"
    path.write_text(f"#!{sys.executable}\nimport sys\nfrom pv.cli import main\nsys.exit(main())\n")
    path.chmod(0o755)
    return path


def run(words: Sequence[str], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PYTHON"))}
    environment = {**kept, "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_the_traps_are_set(repository: Path, marks: Marks) -> None:
    run(["git", "status"], repository)
    assert {"fsmonitor", "clean"} <= set(marks.found())
    run(["git", "log", "-p", "-1"], repository)
    assert "diff-external" not in marks.found()  # that is asked for only by `git diff`
    run(["git", "x"], repository)
    assert "alias-x" in marks.found()
    for module in ("small_checks.wholeness", "evil", "conftest", "email", "tests.test_it"):
        run([sys.executable, "-c", f"import {module}"], repository)
        assert marks.found(), module


def test_python_itself_runs_what_lies_in_the_working_folder_unless_it_is_told_not_to(
    repository: Path, marks: Marks
) -> None:
    """Why one types `pv` or ``python -P -m pv``, and never ``python -m pv``, in the folder of a stranger."""
    run([sys.executable, "-m", "pv", "schema"], repository)
    assert "package-pv" in marks.found()


@pytest.mark.parametrize("safe", ["pv", "python -P -m pv"])
def test_what_looks_at_a_repository_executes_nothing_of_it(
    repository: Path, marks: Marks, program: Path, tmp_path: Path, safe: str
) -> None:
    start = [str(program)] if safe == "pv" else [sys.executable, "-P", "-m", "pv"]
    before = states(repository)

    def one(command: tuple[str, ...]) -> str:
        done = run([*start, *(word.format(out=tmp_path) for word in command)], repository)
        # The ledger that it would ask is a pickle.
        sane = {4} if command == ("evidence", "history", ONE) else {0, 1}
        if done.returncode not in sane or "Traceback" in done.stderr:
            return f"{command}: {done.returncode} {done.stderr}"
        return ""

    # What differs is how Python is started: each command is started both ways, each form of it at least once.
    first = {command[0]: command for command in reversed(COMMANDS)}.values()
    last = {command[0]: command for command in COMMANDS}.values()
    commands = [
        one for one in COMMANDS if (one in first if safe == "pv" else one not in first or one in last)
    ]
    with ThreadPoolExecutor(2) as pool:
        assert [told for told in pool.map(one, commands) if told] == []
    assert marks.found() == []
    assert states(repository) == before


def states(repository: Path) -> dict[str, bytes]:
    """Return the bytes of every file that is the repository's own."""
    files = (path for path in repository.rglob("*") if path.is_file())
    return {str(path): path.read_bytes() for path in files if ".pv" not in path.parts}
