"""What a test is judged by counts among its inputs, and what is none of them it may not read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from pv.runner import Runner
from tests.pv.pytest_clause import CLAUSE, FILES, NODE, Run, discharging, write

if TYPE_CHECKING:
    from tests.pv.conftest import Project


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    with Runner(tmp_path_factory.mktemp("runner")) as started:
        yield started


@pytest.fixture
def run(project: Project, runner: Runner) -> Run:
    return discharging(project, runner)


@pytest.mark.parametrize("edited", ["src/calc.py", "tests/conftest.py", NODE])
def test_no_bytecode_of_the_project_is_believed(run: Run, project: Project, edited: str) -> None:
    """Neither Python's own, nor that of pytest, which keeps tests as rewritten (before 9.2, by time)."""
    files = {
        NODE: "from calc import double\ndef test_a(two):\n    assert double(two) + 0 == 4\n",
        "src/calc.py": "def double(number):\n    return 2 * number + 0\n",
        "tests/conftest.py": "import pytest\n@pytest.fixture\ndef two():\n    return 2 + 0\n",
    }
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPATH"] = str(project.root / "src")

    def plainly() -> int:
        for name in files:
            os.utime(project.root / name, (1, 1))
        words = [sys.executable, "-m", "pytest", NODE]
        done = subprocess.run(words, cwd=project.root, env=environment, capture_output=True, check=False)
        return done.returncode

    write(project.root, files)
    assert plainly() == 0
    files[edited] = files[edited].replace("+ 0", "+ 1")
    write(project.root, files)
    if edited == "src/calc.py":
        assert plainly() == 0, "Python itself does not notice the edit"
    ended = run(files[NODE], files, counter_examples=None)
    assert ended.outcome == "Fail", (ended.message, ended.detail)


def test_a_module_that_only_running_shows_and_no_source_has_is_refused(run: Run) -> None:
    ended = run(
        "import sys\nsys.path.insert(0, 'elsewhere')\n__import__('hid' + 'den')\n\ndef test_a():\n    pass\n",
        {"elsewhere/hidden.py": "X = 1\n"},
        counter_examples=None,
    )
    assert (ended.outcome, "elsewhere/hidden.py" in ended.message) == ("Error", True), ended


def test_a_module_that_names_a_file_which_is_nowhere_hides_nothing(run: Run) -> None:
    # torch.ops is such a module: no file, and a relative name for one.
    body = (
        "import sys\nimport types\nodd = types.ModuleType('odd')\nodd.__file__ = '_odd.py'\n"
        "sys.modules['odd'] = odd\n\ndef test_a():\n    pass\n"
    )
    assert run(body, counter_examples=None).outcome == "Vacuous"


def test_a_test_may_not_read_the_file_of_settings_of_which_only_a_part_is_digested(run: Run) -> None:
    files = {"pyproject.toml": "[project]\nversion = '1'\n\n[tool.pytest.ini_options]\n"}
    body = "def test_a():\n    assert 'version' in open('pyproject.toml').read()\n"
    ended = run(body, files, counter_examples=None)
    assert (ended.outcome, "read pyproject.toml" in ended.message) == ("Error", True), ended
    assert run(body, files, counter_examples=None, sources=["pyproject.toml"]).outcome == "Vacuous"


def test_what_sources_name_may_be_read(run: Run) -> None:
    body = "def test_a():\n    assert 'seven' not in open('data/shipped.txt').read()\n"
    assert run(body, sources=["data/shipped.txt"], counter_examples=None).outcome == "Vacuous"
    assert run(body, sources=["data"], counter_examples=None).outcome == "Vacuous"
    assert run(body, sources=["mutants"], counter_examples=None).outcome == "Error"


def test_every_conftest_below_the_root_is_read_and_none_above(project: Project) -> None:
    fixture = "import pytest\n\n@pytest.fixture\ndef {}():\n    return 1\n"
    write(project.root.parent, {"conftest.py": "raise RuntimeError('of another project')\n"})
    for name, folder in (("one", "."), ("two", "tests")):
        write(project.root, {f"{folder}/conftest.py": fixture.format(name)})
    write(project.root, {NODE: "def test_a(one, two):\n    assert one == two\n"})
    for settings in ({}, {"tests/pytest.ini": "[pytest]\n"}):
        write(project.root, settings)
        clause = {**CLAUSE, "counter_examples": {"two": {"modules": {"tests/conftest.py": "tests/m.py"}}}}
        write(project.root, {"tests/m.py": fixture.format("two").replace("1", "2")})
        project.contract(clause)
        ended = project.pv("discharge", "--no-record", CLAUSE["id"])
        assert ended.code == 0, ended.said


def test_a_test_of_hypothesis_leaves_no_examples_and_draws_the_same(project: Project) -> None:
    write(project.root, {
        NODE: "import hypothesis.strategies as st\nfrom hypothesis import given, note\n\n"
        "SEEN = []\n\n@given(st.integers())\ndef test_a(n):\n    SEEN.append(n)\n\n"
        "def test_b(record_property):\n    record_property('drawn', repr(SEEN))\n",
    })  # fmt: skip
    clause = {**CLAUSE, "environment": {}, "metrics": [{"name": "drawn", "kind": "text"}]}
    clause |= {"expect": ["count(drawn) == 1"], "counter_examples": None}
    project.contract(clause)
    drawn = []
    for _ in range(2):
        assert project.pv("discharge", "--force", CLAUSE["id"]).code == 1
        record = json.loads(project.record("algorithm", CLAUSE["id"]).read_bytes())["predicate"]
        drawn.append(record["measurements"]["drawn"]["values"])
    assert drawn[0] == drawn[1]
    assert len(drawn[0][0]) > 100
    assert not (project.root / ".hypothesis").exists()


def test_evidence_goes_stale_with_what_decides_and_with_nothing_else(project: Project) -> None:
    project.edit("pv.toml", 'sources = ["."]', 'sources = ["src"]')
    write(project.root, {**FILES, "tests/conftest.py": "", "pytest.ini": "[pytest]\n"})
    project.contract({**CLAUSE, "pytest": f"{NODE}::test_double"})
    identifier = CLAUSE["id"]
    assert project.status(identifier)[0] == "UNBOUND"
    ended = project.pv("discharge", identifier)
    assert ended.code == 0, ended.said
    assert project.status(identifier) == ("DISCHARGED", "judged live")
    predicate = json.loads(project.record(identifier=identifier).read_bytes())["predicate"]
    assert predicate["check"]["reference"] == f"pytest:{NODE}::test_double"
    assert predicate["measurements"]["passed"] == {"values": [1], "labels": [f"{NODE}::test_double"]}
    assert b"/tmp/" not in project.record(identifier=identifier).read_bytes()
    assert "fresh" in project.pv("discharge", identifier).out
    for name, text in {
        NODE: "# a remark\n" + FILES[NODE],
        "tests/conftest.py": '"""Says what is here."""\n',
        "pytest.ini": "[pytest]\naddopts = -q\n",
        "src/unrelated.py": "X = 1\n",
    }.items():
        write(project.root, {name: text})
        assert project.status(identifier)[0] == "DISCHARGED", name
    for name, text in {
        NODE: FILES[NODE].replace("4", "2 + 2"),
        "tests/conftest.py": "X = 1\n",
        "src/calc.py": "def double(number):\n    return number + number\n",
        "mutants/off_by_one.py": FILES["mutants/off_by_one.py"].replace("1", "3"),
        "pytest.ini": "[pytest]\npython_functions = test_*\n",
    }.items():
        before = (project.root / name).read_text(encoding="utf-8")
        write(project.root, {name: text})
        status, reason = project.status(identifier)
        assert (status, name in reason) == ("STALE", True), reason
        write(project.root, {name: before})
    assert project.status(identifier)[0] == "DISCHARGED"


@pytest.mark.parametrize(
    "body",
    [
        "subprocess.run([sys.executable, 'tools/helper.py'], check=True)",
        "subprocess.run('cat tools/helper.py', shell=True, check=True)",
        (
            "pid = os.fork()\n    if not pid:\n        open('tools/helper.py').read()\n        os._exit(0)\n"
            "    os.waitpid(pid, 0)"
        ),
    ],
)
def test_what_a_test_hands_to_another_process_is_an_input(run: Run, body: str) -> None:
    test = f"import os, subprocess, sys\n{FILES[NODE]}\ndef test_tool():\n    {body}\n"
    files = {"tools/helper.py": ""}
    end = run(test, files)
    assert end.outcome == "Error", end
    assert "read tools/helper.py, which evidence would not name" in end.message
    assert run(test, files, sources=["tools/helper.py"]).outcome == "Pass"
