"""The gate reads little of a repository. Here it is held against reading all of it, at both ends."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.pv.conftest import CLAUSE, Project
from tests.pv.staging import CLAIM, git

Edit = Callable[[Project], object]


def clause(number: int, **changes: Any) -> dict[str, Any]:
    return dict(CLAUSE) | {"id": f"FALSIFY-SMALL-00{number}"} | CLAIM | changes


def cited(number: int = 2, **changes: Any) -> dict[str, Any]:
    """The falsifier that the gate cites: its one counter-example shows in the one metric that is cited."""
    live = {"live": {"numbers": "shipped"}}
    return clause(number, **{"subjects": live, "counter_examples": ["one_half"]} | changes)


def gate(**changes: Any) -> dict[str, Any]:
    return {
        "id": "FALSIFY-GATE-001",
        "rule": "as measured",
        "prediction": "near",
        "if_fails": "far",
        "basis": {"distance": {"falsifier": "FALSIFY-SMALL-002", "metric": "distance"}},
        "expect": ["max(distance) <= 0.25"],
    } | changes


FILES = {
    "tools/total.py": "def total(xs):\n    return sum(xs)\n",
    "tools/spare.py": "def spare():\n    return 1\n",
    "tools/measure.py": "import json, sys\nfrom tools.total import total\n"
    "print(json.dumps({'total': total(json.load(open(sys.argv[1])))}))\n",
    "tools/limits.json": "[1, 2]\n",
    "tools/wrong.json": "[1, 7]\n",
    "mutants/total.py": "def total(xs):\n    return 0\n",
    "checked/conftest.py": "X = 1\n",
    "checked/test_total.py": "from tools.total import total\n\n\n"
    "def test_total():\n    assert total([1, 2]) == 3\n",
    "pytest.ini": "[pytest]\npythonpath = .\n",
}
TESTED = {
    "id": "FALSIFY-TESTED-001",
    "rule": "totals are totals",
    "prediction": "one and two are three",
    "if_fails": "something else is added",
    "pytest": "checked/test_total.py::test_total",
    "expect": ["min(passed) == 1"],
    "counter_examples": {"wrong": {"modules": {"tools/total.py": "mutants/total.py"}}},
}
COMMANDED = {
    "id": "FALSIFY-COMMANDED-001",
    "rule": "the tool totals",
    "prediction": "three",
    "if_fails": "the tool is wrong",
    "command": ["python", "tools/measure.py", "tools/limits.json"],
    "metrics": [{"name": "total", "pointer": "/total"}],
    "expect": ["total == 3"],
    "sources": ["tools/wrong.json"],
    "counter_examples": {"wrong": {"arguments": ["tools/measure.py", "tools/wrong.json"]}},
}


@pytest.fixture(scope="module")
def several(discharged: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Contracts bound to checks, a test and a command, a gate, one that waits and names a file."""
    made = Project.__new__(Project)
    made.root = tmp_path_factory.mktemp("several") / "project"
    shutil.copytree(discharged.root, made.root, ignore=shutil.ignore_patterns("__pycache__", ".pv"))
    made.contract(clause(1), stem="one-v1")
    made.contract(cited(), stem="two-v1")
    made.contract(gate(**CLAIM), stem="gate-v1")
    waiting = {"check": None, "counter_examples": None, "expect": None, "subjects": None, "needs": None}
    made.contract(
        clause(4, **waiting, discharge_status=None, blocked_by=["two-v1#FALSIFY-SMALL-002"],
               test="small_checks/wholeness.py::wholeness"),
        stem="waits-v1",
    )  # fmt: skip
    for name, text in FILES.items():
        (made.root / name).parent.mkdir(exist_ok=True)
        (made.root / name).write_text(text)
    made.contract(TESTED | CLAIM, stem="tested-v1")
    made.contract(COMMANDED | CLAIM, stem="commanded-v1")
    (made.root / "contracts" / "small-v1.yaml").unlink()
    shutil.rmtree(made.root / "evidence")
    ended = made.pv("discharge", "contracts", "--allow-declined")
    assert ended.code == 0, ended.said
    assert sorted(statuses(made).values()) == ["DISCHARGED"] * 5 + ["UNBOUND"]
    (made.root / ".gitignore").write_text(".pv/\n__pycache__/\n")
    git(made.root, "init", "-q")
    git(made.root, "add", ".")
    git(made.root, "commit", "-qm", "all")
    return made


def appended(name: str, text: str) -> Edit:
    def edit(project: Project) -> None:
        path = project.root / name
        if path.is_file():
            path.write_text(path.read_text() + text)

    return edit


def removed(name: str) -> Edit:
    def edit(project: Project) -> None:
        path = project.root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    return edit


def renamed(old: str, new: str) -> Edit:
    def edit(project: Project) -> None:
        if (project.root / old).exists() and not (project.root / new).exists():
            (project.root / old).rename(project.root / new)

    return edit


def written(stem: str, *clauses: dict[str, Any]) -> Edit:
    return lambda project: project.contract(*clauses, stem=stem)


def replaced(name: str, old: str, new: str) -> Edit:
    def edit(project: Project) -> None:
        path = project.root / name
        if path.is_file():
            path.write_text(path.read_text().replace(old, new, 1))

    return edit


EDITS: dict[str, Edit] = {
    "a check": appended("small_checks/wholeness.py", "\nMORE = 1\n"),
    "what a check imports": appended("small_checks/distance.py", "\nMORE = 1\n"),
    "a loader": appended("small_checks/loading.py", "\nMORE = 1\n"),
    "a check that is no Python": appended("small_checks/distance.py", "\n(\n"),
    "a check is gone": removed("small_checks/wholeness.py"),
    "an import is gone": removed("small_checks/distance.py"),
    "a comment": appended("small_checks/wholeness.py", "\n# nothing\n"),
    "a pin": replaced("pv.toml", 'path = "data/shipped.txt"', 'path = "data/stand-in.txt"'),
    "the sources": replaced("pv.toml", 'sources = ["."]', 'sources = ["data", "."]'),
    "a clause": written("one-v1", clause(1, expect=["max(distance) <= 0.2", "count(distance) == expected"])),
    "a clause that is cited": written("two-v1", cited(rule="in other words")),
    "an id that is cited": written("two-v1", cited(7)),
    "a twin": written("three-v1", clause(1)),
    "a broken contract": appended("contracts/one-v1.yaml", "\n]"),
    "a contract is gone": removed("contracts/two-v1.yaml"),
    "a contract has another name": renamed("contracts/two-v1.yaml", "contracts/two-v2.yaml"),
    "a file that is named": replaced("small_checks/wholeness.py", "def wholeness", "def whole"),
    "evidence is gone": removed("evidence/two-v1"),
    "evidence is altered": lambda project: (
        [
            path.write_text(path.read_text().replace('"Pass"', '"Fail"'))
            for path in (project.root / "evidence").rglob("live*.json")
        ]
        and None
    ),
    "what a test imports": appended("tools/total.py", "\nMORE = 1\n"),
    "what no test imports": appended("tools/spare.py", "\nMORE = 1\n"),
    "a conftest": appended("checked/conftest.py", "\nMORE = 1\n"),
    "a test is gone": removed("checked/test_total.py"),
    "the settings of pytest": appended("pytest.ini", "xfail_strict = true\n"),
    "a mutant": appended("mutants/total.py", "\nMORE = 1\n"),
    "what a command is given": appended("tools/limits.json", "\n"),
    "what a command reads": removed("tools/wrong.json"),
    "the script of a command": appended("tools/measure.py", "\nMORE = 1\n"),
    "a circle": written("two-v1", cited(blocked_by=["waits-v1#FALSIFY-SMALL-004"])),
}


def statuses(project: Project) -> dict[str, str]:
    ended = project.pv("status", "--json")
    assert ended.code == 0, ended.said
    return {row["falsifier"]: row["status"] for row in ended.json["falsifiers"]}


def errors(document: Any) -> set[tuple[str, str]]:
    return {(one["file"], one["code"]) for one in document["findings"] if one["severity"] == "error"}


def checked_out(project: Project, folder: Path, *words: str) -> Project:
    """What git has, in a folder that holds nothing else."""
    folder.mkdir()
    git(project.root, *words, f"--prefix={folder}/")
    found = Project.__new__(Project)
    found.root = folder
    return found


@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    staged=st.lists(st.sampled_from(sorted(EDITS)), min_size=1, max_size=3, unique=True),
    afterwards=st.lists(st.sampled_from(sorted(EDITS)), max_size=2, unique=True),
)
def test_the_gate_finds_what_reading_everything_at_both_ends_finds(
    several: Project, tmp_path_factory: pytest.TempPathFactory, staged: list[str], afterwards: list[str]
) -> None:
    hold(several, tmp_path_factory.mktemp("held"), staged, afterwards)


@pytest.mark.parametrize("edit", sorted(EDITS))
def test_each_change_alone_is_found(several: Project, tmp_path: Path, edit: str) -> None:
    hold(several, tmp_path, [edit], [])


def hold(several: Project, folder: Path, staged: list[str], afterwards: list[str]) -> None:
    project = Project.__new__(Project)
    project.root = folder / "project"
    shutil.copytree(several.root, project.root)
    for name in staged:
        EDITS[name](project)
    git(project.root, "add", "--all", ".")
    for name in afterwards:
        EDITS[name](project)
    document = project.pv("gate", "--json").json
    whole = checked_out(project, folder / "staged", "checkout-index", "--all")
    (whole.root / ".git").mkdir()  # references are looked for from the top of the repository
    found = errors(whole.pv("validate", "contracts", "--json").json)
    before, known = at_first(several)
    told = errors(document)
    assert told <= found, f"{staged}: the gate says what is not so"
    assert document["exit"] == (1 if told or document["rejected"] else 0)
    if any(code.startswith(("YAML", "SCHEMA")) for _, code in found):
        assert document["exit"] == 1
        return  # nothing else can be told of a project with a contract that cannot be read
    # That two have one id is told of the one that changed.
    assert {one for one in found - known - told if one[1] != "PV-ID-001"} == set(), staged
    assert ("PV-ID-001" in {code for _, code in found - known}) == ("PV-ID-001" in {code for _, code in told})
    now = statuses(whole)
    moved = {one["falsifier"]: (one["before"], one["after"]) for one in document["moved"]}
    names = {*before, *now}
    assert moved == {n: (before.get(n), now.get(n)) for n in names if before.get(n) != now.get(n)}, staged


@functools.cache
def at_first(several: Project) -> tuple[dict[str, str], set[tuple[str, str]]]:
    return statuses(several), errors(several.pv("validate", "contracts", "--json").json)
