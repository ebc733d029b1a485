"""Skeletons hold whatever contracts say as text, and nothing of it as code."""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.check import Metric
from pv.errors import BindingError, ConfigError
from pv.python_module import PythonModule
from pv.scaffold import Scaffold, plan_scaffold
from pv.selection import select
from pv.skeletons import (
    bound_test_skeleton,
    check_skeleton,
    counter_example_skeleton,
    docstring,
    literal,
    property_skeleton,
)
from pv.whole_file import create_file
from tests.pv.conftest import CLAUSE, ROOT

if TYPE_CHECKING:
    from pv.contract import Falsifier
    from tests.pv.conftest import Project

HOSTILE = 'a"""b\\"""\n\x00\x1b[31m\u202e\u2028\'\'\'\\'
UNBOUND: dict[str, Any] = {**CLAUSE, "check": None, "counter_examples": None}


@pytest.fixture(scope="module")
def falsifier(discharged: Project) -> Falsifier:
    return discharged.load().falsifiers[0]


@given(st.text())
def test_a_literal_is_the_text_or_the_text_made_printable(text: str) -> None:
    source = literal(text)
    assert source.isprintable()
    found = ast.literal_eval(source)
    assert found == text


@given(st.lists(st.text(), min_size=1, max_size=4), st.sampled_from(["", "    "]))
def test_a_docstring_ends_where_it_should_whatever_it_says(texts: list[str], indent: str) -> None:
    lines = docstring(["Say it.", *texts], indent)
    assert all(line.isprintable() for line in lines)
    source = "\n".join([f"{indent}def f():" if not indent else "if True:", *lines])
    if not indent:
        source = "\n".join(lines)
    tree = ast.parse(source)
    (expression,) = tree.body if not indent else tree.body[0].body  # type: ignore[attr-defined]
    assert isinstance(expression, ast.Expr)
    assert isinstance(expression.value, ast.Constant)


@given(st.text(), st.text(), st.text(), st.text(min_size=1))
def test_skeletons_are_the_same_statements_whatever_a_contract_says(
    falsifier: Falsifier, rule: str, prediction: str, plant: str, argument: str
) -> None:
    said = dataclasses.replace(
        falsifier, rule=rule, prediction=prediction, if_fails=prediction, arguments={"word": argument}
    )
    text = check_skeleton([said], "measure", (Metric("a"),), {"numbers": True}, None)
    text += counter_example_skeleton(said, "measure", plant, "numbers", "damage")
    text += property_skeleton(said, "test_it", "module")
    text += bound_test_skeleton(said, "test_that", within_class=False)
    tree = ast.parse(text)
    assert [type(node).__name__ for node in tree.body] == ["FunctionDef"] * 4
    for node in tree.body:
        assert isinstance(node, ast.FunctionDef)
        documented, raised = node.body
        assert isinstance(documented, ast.Expr)
        assert isinstance(raised, ast.Raise)


def plan(project: Project, into: str | None = None) -> Scaffold:
    return plan_scaffold(
        select([str(project.root / "contracts")], project.config()), project.config(), into, "tests"
    )


def write(scaffold: Scaffold) -> None:
    for module in scaffold.modules:
        module.path.parent.mkdir(parents=True, exist_ok=True)
        module.path.write_bytes(module.after("Begun."))


def test_what_is_missing_is_added_and_what_is_there_stays(project: Project) -> None:
    path = project.root / "small_checks" / "wholeness.py"
    before = path.read_text()
    project.contract(
        {**CLAUSE, "check": "small_checks.wholeness:halves", "with": {"copies": 2}},
        {**CLAUSE, "id": "FALSIFY-SMALL-002", "counter_examples": ["one_half", "a third", "é", "ü"]},
    )
    scaffold = plan(project)
    write(scaffold)
    assert path.read_text().startswith(before)
    assert [module.added for module in scaffold.modules] == [
        [
            *("halves", "halves_one_half", "halves_one_missing"),
            *("wholeness_a_third", "wholeness_2", "wholeness_3"),
        ],
        ["test_halves"],
    ]
    assert 'counter_example("a third", of="numbers")' in path.read_text()
    assert "def halves(run: Run, *, numbers: object, copies: int) -> None:" in path.read_text()
    assert scaffold.clauses == ()
    again = plan(project)
    assert (again.modules, again.complete) == ((), 2)


def test_a_module_without_the_imports_gets_them_below_its_own(project: Project) -> None:
    path = project.root / "small_checks" / "distance.py"
    text = (
        '"""Old."""\r\n\r\nfrom __future__ import annotations\r\n\r\nimport math\r\n\r\nX = math.pi  # é\x0c'
    )
    path.write_bytes(text.encode())
    project.contract({**CLAUSE, "check": "small_checks.distance:far"})
    write(plan(project))
    after = path.read_bytes().decode()
    assert "\n" not in after.replace("\r\n", "")
    line = "import math\r\n"
    assert after.startswith(text.replace(line, f"{line}from pv.check import Metric, Run, check\r\n"))
    assert plan(project).modules == ()
    path.write_text("def check():\n    pass\n")
    with pytest.raises(BindingError, match="has a check of its own"):
        plan(project)
    path.write_text("def (:\n")
    with pytest.raises(BindingError, match="cannot be parsed"):
        plan(project)


def test_a_test_that_is_bound_and_missing_is_written_also_into_a_class(project: Project) -> None:
    path = project.root / "tests" / "test_it.py"
    path.parent.mkdir()
    path.write_text("class TestOld:\n  def test_a(self):\n    assert True\n\n\nX = 1\n")
    bound = {**CLAUSE, "check": None, "subjects": None, "counter_examples": None}
    project.contract(
        {**bound, "pytest": "tests/test_it.py::TestOld::test_a"},
        {**bound, "id": "FALSIFY-SMALL-002", "pytest": "tests/test_it.py::TestOld::test_b[x]"},
        {**bound, "id": "FALSIFY-SMALL-003", "pytest": "tests/test_it.py::test_c"},
        {**bound, "id": "FALSIFY-SMALL-004", "pytest": "tests/deep/test_new.py"},
    )
    scaffold = plan(project)
    write(scaffold)
    assert [module.added for module in scaffold.modules] == [["TestOld.test_b", "test_c"], ["test_small_004"]]
    text = path.read_text()
    assert text.startswith(
        "class TestOld:\n  def test_a(self):\n    assert True\n\n  def test_b(self) -> None:\n"
    )
    assert "\nX = 1\n\n\ndef test_c() -> None:\n" in text
    assert plan(project).modules == ()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"check": "a.class:f"}, "'class' is no name"),
        ({"check": "a.b:def"}, "'def' is no name"),
        ({"subjects": {"live": {"run": "shipped"}}}, "'run' is no name"),
        ({"subjects": {"live": {"a b": "shipped"}}}, "'a b' is no name"),
        ({"with": {"lambda": 1}}, "'lambda' is no name"),
        ({"check": None, "pytest": "../x.py"}, "no Python file inside"),
        ({"check": None, "pytest": "t.py::A::B::c"}, "a class within a class"),
        ({"check": None, "pytest": "t.py::a b"}, "'a b' is no name"),
    ],
)
def test_what_can_be_no_name_is_refused_with_its_place(
    project: Project, changes: dict[str, Any], why: str
) -> None:
    project.contract({**CLAUSE, "check": "missing.module:f", **changes})
    with pytest.raises(BindingError, match=why) as caught:
        plan(project)
    assert caught.value.where is not None


def test_places_are_inside_the_project_and_can_be_imported(project: Project, tmp_path: Path) -> None:
    project.contract(UNBOUND)
    for into, module in [
        (None, "pv_checks.small_v1"),
        ("small_checks", "small_checks.small_v1"),
        ("a.b", "a.b"),
        ("a/b.py", "a.b"),
        ("a/", "a.small_v1"),
    ]:
        (clause,) = plan(project, into).clauses
        assert clause.keys == {"check": f"{module}:small_001"}
    for into in ("a-b", "class/", "a.class"):
        with pytest.raises(ConfigError, match="--into"):
            plan(project, into)
    (project.root / "out").symlink_to(tmp_path)
    with pytest.raises(BindingError, match="not inside"):
        plan(project, "out/")
    with pytest.raises((ConfigError, BindingError)):
        plan(project, "../elsewhere/")


def test_ids_that_give_one_name_give_two_functions(project: Project) -> None:
    project.contract(
        {**UNBOUND, "id": "FALSIFY-A-1"}, {**UNBOUND, "id": "FALSIFY-A.1"}, {**UNBOUND, "id": "check"}
    )
    scaffold = plan(project)
    checks = [clause.keys["check"].rpartition(":")[2] for clause in scaffold.clauses]
    assert checks == ["a_1", "a_1_2", "falsify_check"]
    write(scaffold)
    assert plan(project).modules == ()


def test_one_check_of_several_falsifiers_takes_what_each_of_them_needs(project: Project) -> None:
    named = {**CLAUSE, "check": "family:parity"}
    project.contract(
        {**named, "with": {"kernel": "a"}, "expect": ["max(error) <= 1"]},
        {**named, "id": "FALSIFY-SMALL-002", "with": {"kernel": "b", "bits": 4}, "expect": ["least == 0"]},
    )
    scaffold = plan(project)
    write(scaffold)
    text = (project.root / "family.py").read_text()
    assert "def parity(run: Run, *, numbers: object, kernel: str, bits: int | None = None) -> None:" in text
    assert 'Metric("error")' in text
    assert 'Metric("least", kind="count")' in text
    assert scaffold.complete == 0
    assert plan(project).complete == 2


def test_where_nothing_is_said_the_strictest_rule_is_added(project: Project) -> None:
    project.contract({**UNBOUND, "expect": None, "subjects": None, "covers": ["OBLIGE-1"]})
    scaffold = plan(project)
    (clause,) = scaffold.clauses
    assert clause.keys["expect"] == ["max(deviation) <= 0"]
    text = scaffold.modules[0].after("Begun.").decode()
    assert '.counter_example("breaks_oblige_1", of="candidate")' in text
    assert 'run.role("candidate", ...)' in text


def test_what_is_written_is_clean_to_ruff_and_to_mypy(project: Project) -> None:
    hostile = {"rule": HOSTILE, "prediction": "x" * 300, "if_fails": "é" * 80}
    mixed = {"functional": {"numbers": "stand-in"}, "live": {"numbers": "shipped", "others": "shipped"}}
    bound = {**UNBOUND, "subjects": None, "pytest": "tests/test_bound.py::TestIt::test_it"}
    project.contract(
        {**UNBOUND, **hostile, "with": {"scheme": "a", "bits": 4, "many": [1]}, "subjects": mixed},
        {**UNBOUND, "id": "FALSIFY-SMALL-002", "counter_examples": ['a "word"', "é"]},
        {**bound, "id": "FALSIFY-SMALL-003", "expect": ["min(passed) == 1"]},
    )
    write(plan(project))
    files = ["pv_checks/small_v1.py", "tests/test_small_v1.py", "tests/test_bound.py"]
    found = importlib.util.find_spec("ruff")
    assert found is not None
    assert found.origin is not None
    ruff = str(Path(found.origin).parents[4] / "bin" / "ruff")
    settings = f"--config={ROOT / 'pyproject.toml'}"
    # Whether folders are packages is the project's business.
    linted = [ruff, "check", "--no-cache", settings, "--ignore", "INP001", *files]
    formatted = [ruff, "format", "--no-cache", "--check", settings, *files]
    typed = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--explicit-package-bases", *files]
    typed += ["--cache-dir=/dev/null", "--follow-imports=silent"]
    for command in (linted, formatted, typed):
        done = subprocess.run(
            command,
            cwd=project.root,
            env={"MYPYPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_new_file_takes_no_others_place(tmp_path: Path, project: Project) -> None:
    path = tmp_path / "new.py"
    create_file(path, b"1\n")
    with pytest.raises(FileExistsError):
        create_file(path, b"2\n")
    assert path.read_bytes() == b"1\n"
    assert [entry.name for entry in tmp_path.glob("*new*")] == ["new.py"]
    with pytest.raises(BindingError):
        PythonModule(tmp_path / "outside.py", project.config())
