from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pv.exits import Exit
from tests.pv.conftest import CLAUSE, Project
from tests.pv.staging import commit, git

ONE, TESTED, COMMANDED = "FALSIFY-SMALL-001", "FALSIFY-SMALL-002", "FALSIFY-SMALL-003"
OTHER = "FALSIFY-OTHER-001"
# By another program: what a check writes itself outside of its scratch folder is refused.
MARK = "import subprocess\nsubprocess.run(['touch', {mark!r}], check=True)\n"


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A repository with a check, a test and a command, all of which may run; do not change it."""
    project = Project(tmp_path_factory.mktemp("reviewed") / "project")
    common = {"rule": "r", "prediction": "p", "if_fails": "f", "counter_examples": None, "subjects": None}
    project.contract(
        dict(CLAUSE),
        {**common, "id": TESTED, "pytest": "tests/test_it.py::test_it", "expect": ["sum(passed) == 1"]},
        {
            **common,
            "id": COMMANDED,
            "command": ["python3", "tools/measure.py"],
            "expect": ["exit_code == 0"],
            "metrics": [{"name": "exit_code", "kind": "count"}],
        },
    )
    (project.root / "apart").mkdir()
    (project.root / "apart" / "__init__.py").touch()
    check = (project.root / "small_checks" / "wholeness.py").read_text().replace("small_checks", "apart")
    (project.root / "apart" / "wholeness.py").write_text(check)
    shutil.copy(project.root / "small_checks" / "loading.py", project.root / "apart" / "loading.py")
    for name in ("distance", "scale"):
        shutil.copy(project.root / "small_checks" / f"{name}.py", project.root / "apart" / f"{name}.py")
    project.contract(dict(CLAUSE) | {"id": OTHER, "check": "apart.wholeness:wholeness"}, stem="other-v1")
    for folder, name, text in (
        ("tests", "test_it.py", "def test_it():\n    assert True\n"),
        ("tests", "conftest.py", ""),
        ("tools", "measure.py", "print(1)\n"),
    ):
        (project.root / folder).mkdir(exist_ok=True)
        (project.root / folder / name).write_text(text)
    (project.root / ".gitignore").write_text(".pv/\n__pycache__/\n")
    git(project.root, "init", "-q", "-b", "main")
    git(project.root, "add", ".")
    git(project.root, "commit", "-qm", "all")
    git(project.root, "checkout", "-q", "-b", "change")
    return project


@pytest.fixture
def change(reviewed: Project, tmp_path: Path) -> Project:
    copy = Project.__new__(Project)
    copy.root = tmp_path / "project"
    shutil.copytree(reviewed.root, copy.root)
    return copy


def swept(project: Project, *words: str) -> dict[str, str]:
    """Return id → state of what a sweep with `words` would do."""
    ended = project.pv("sweep", "--dry-run", "--json", *(words or ("--base", "main")))
    assert ended.code == Exit.ACCEPTED, ended.said
    return {line["falsifier"].partition("#")[2]: line["state"] for line in ended.json}


def withheld(project: Project) -> set[str]:
    states = swept(project)
    assert set(states) == {ONE, TESTED, COMMANDED, OTHER}
    return {name for name, state in states.items() if state == "declined"}


def appended(name: str) -> Callable[[Project, str], None]:
    def change(project: Project, mark: str) -> None:
        path = project.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text((path.read_text() if path.exists() else "") + MARK.format(mark=mark))

    return change


def clause(project: Project, mark: str) -> None:  # noqa: ARG001
    path = project.root / "contracts" / "small-v1.yaml"
    whole = yaml.safe_load(path.read_text())
    whole["falsification_tests"][0]["check"] = "apart.wholeness:wholeness"
    path.write_text(yaml.safe_dump(whole))


def settings(old: str, new: str) -> Callable[[Project, str], None]:
    def change(project: Project, mark: str) -> None:  # noqa: ARG001
        path = project.root / "pv.toml"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    return change


EVERYTHING = {ONE, TESTED, COMMANDED, OTHER}
CASES: dict[str, tuple[Callable[[Project, str], None], set[str]]] = {
    "a check": (appended("small_checks/wholeness.py"), {ONE, COMMANDED}),
    "a package": (appended("small_checks/__init__.py"), {ONE, OTHER, COMMANDED}),
    "a loader": (appended("small_checks/loading.py"), {ONE, OTHER, COMMANDED}),
    "another check": (appended("apart/wholeness.py"), {OTHER, COMMANDED}),
    "a test": (appended("tests/test_it.py"), {TESTED, COMMANDED}),
    "a conftest": (appended("tests/conftest.py"), {TESTED, COMMANDED}),
    "a new conftest": (appended("conftest.py"), EVERYTHING),
    "settings of pytest": (appended("pytest.ini"), {TESTED, COMMANDED}),
    "a script": (appended("tools/measure.py"), {COMMANDED}),
    "what a script may run": (appended("tools/more.sh"), {COMMANDED}),
    "a module like a library": (appended("random.py"), EVERYTHING),
    "a package like a library": (appended("numpy/__init__.py"), EVERYTHING),
    "a library beside a test": (appended("tests/csv.py"), {TESTED, COMMANDED}),
    "compiled code": (appended("small_checks/wholeness.so"), EVERYTHING),
    "prose": (appended("README.md"), set()),
    "a clause": (clause, {ONE}),
    "where a loader is": (settings("small_checks.loading", "apart.loading"), {ONE, OTHER, COMMANDED}),
    "where modules are": (settings('sources = ["."]', 'sources = ["apart", "."]'), EVERYTHING),
    "an executor": (settings("[project]", "[executors.slurm]\nkind = 'local'\n[project]"), EVERYTHING),
}


@pytest.mark.parametrize("what", CASES)
def test_what_a_change_had_a_hand_in_is_declined_and_the_rest_runs(
    change: Project, tmp_path: Path, what: str
) -> None:
    alter, expected = CASES[what]
    alter(change, str(tmp_path / "mark"))
    git(change.root, "add", "--all", "--force", "--", ".", ":!.pv")
    git(change.root, "commit", "-qm", "change")
    assert withheld(change) == expected
    assert not (tmp_path / "mark").exists()


def test_what_is_declined_says_why_and_what_to_do_and_runs_nothing(change: Project, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    appended("small_checks/wholeness.py")(change, str(mark))
    commit(change)
    for command in ("discharge", "sweep"):
        ended = change.pv(command, ONE, OTHER, "--base", "main", "--no-record")
        assert ended.code == Exit.DECLINED, ended.said
        assert not mark.exists()
        assert "small_checks/wholeness.py changed since main" in ended.said
        assert "--trust" in ended.said
        assert "1 " in ended.said
    assert change.pv("discharge", ONE, OTHER, "--base", "main", "--allow-declined", "--no-record").code == 0
    assert not mark.exists()
    assert change.pv("discharge", ONE, "--no-record").code == Exit.ACCEPTED
    assert mark.exists()


def event(project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, **variables: Any) -> None:
    monkeypatch.setenv("GITHUB_EVENT_NAME", "pull_request")
    path = tmp_path / "event.json"
    path.write_text(
        json.dumps({"pull_request": {"base": {"sha": git(project.root, "rev-parse", "main").strip()}}})
    )
    for name, value in ({"GITHUB_EVENT_PATH": str(path)} | variables).items():
        monkeypatch.setenv(name, value)


def test_in_a_pull_request_it_is_so_without_being_asked_for(
    change: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    appended("small_checks/wholeness.py")(change, str(tmp_path / "mark"))
    commit(change)
    assert swept(change, "contracts")[ONE] == "run"
    event(change, monkeypatch, tmp_path)
    states = swept(change, "contracts")
    assert (states[ONE], states[OTHER]) == ("declined", "run")
    assert swept(change, "--trust")[ONE] == "run"
    for name in ("pull_request_target", "pull_request_review"):
        monkeypatch.setenv("GITHUB_EVENT_NAME", name)
        assert swept(change, "contracts")[ONE] == "declined"
    monkeypatch.setenv("GITHUB_EVENT_NAME", "push")
    assert swept(change, "contracts")[ONE] == "run"
    monkeypatch.delenv("GITHUB_EVENT_NAME")
    monkeypatch.setenv("CI_PIPELINE_SOURCE", "merge_request_event")
    monkeypatch.setenv("CI_MERGE_REQUEST_DIFF_BASE_SHA", "main")
    assert swept(change, "contracts")[ONE] == "declined"


def test_a_base_that_is_not_known_lets_nothing_run(
    change: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert change.pv("discharge", ONE, "--base", "no-such").code == Exit.USAGE
    event(change, monkeypatch, tmp_path, GITHUB_EVENT_PATH=str(tmp_path / "none"))
    ended = change.pv("discharge", ONE, "--no-record")
    assert (ended.code, "--base" in ended.err) == (Exit.USAGE, True), ended.said
    monkeypatch.setenv("GITHUB_BASE_REF", "main")
    assert change.pv("discharge", ONE, "--no-record").code == Exit.USAGE  # there is no origin/main
    git(change.root, "update-ref", "refs/remotes/origin/main", "main")
    assert change.pv("discharge", ONE, "--no-record").code == Exit.ACCEPTED


def test_a_journal_of_somebody_is_not_gone_on_with(
    change: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert change.pv("sweep", OTHER, "--no-record").code == Exit.ACCEPTED
    event(change, monkeypatch, tmp_path)
    assert change.pv("sweep", "--resume").code == Exit.USAGE
    assert change.pv("sweep", "--resume", "--trust").code == Exit.ACCEPTED


def test_a_gate_runs_what_a_pull_request_made_stale_only_on_trust(
    change: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    event(change, monkeypatch, tmp_path)
    assert change.pv("gate", "--run").code == Exit.USAGE
    assert change.pv("gate", "--run", "--trust").code in {Exit.ACCEPTED, Exit.REJECTED}
    assert change.pv("gate", "--trust").code == Exit.USAGE
