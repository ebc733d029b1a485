from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from pv.binding import Reading, bind_falsifier
from pv.errors import BindingError
from pv.fit import fit

if TYPE_CHECKING:
    from tests.pv.conftest import Project

TEST = """
import pytest
from unittest import TestCase

class Base(TestCase):
    pass

class TestPlain:
    def test_inside(self): pass

class TestOther(Base):
    pass

if True:
    def test_conditional(): pass

test_assigned = lambda: None

@pytest.mark.parametrize("n", [1])
def test_many(n): pass
"""
PYTEST: dict[str, Any] = {
    "check": None,
    "subjects": {"live": {"numbers": "shipped"}},
    "expect": ["min(passed) == 1"],
    "counter_examples": {"red": {"environment": {"COLOUR": "red"}}},
    "pytest": "tests/test_it.py::test_many",
}
COMMAND: dict[str, Any] = {
    **PYTEST,
    "pytest": None,
    "command": ["python", "tool.py", "{numbers}"],
    "metrics": [{"name": "error", "pointer": "/error"}],
    "expect": ["error <= 1"],
}


@pytest.fixture
def written(project: Project) -> Project:
    (project.root / "tests").mkdir()
    (project.root / "tests/test_it.py").write_text(TEST)
    (project.root / "tests/broken.py").write_text("def (:\n")
    (project.root / "tool.py").write_text("")
    return project


def bound(project: Project, **clause: Any) -> Any:
    project.contract(**clause)
    falsifier = project.load().falsifiers[0]
    binding = bind_falsifier(falsifier, project.config())
    fit(falsifier, binding)
    return binding


def test_what_is_declared_is_the_binding(written: Project) -> None:
    test = bound(written, **PYTEST, environment={"NUMBERS": "{numbers}"})
    assert (test.kind, test.reference) == ("pytest", "pytest:tests/test_it.py::test_many")
    assert str(test.where) == "tests/test_it.py:20:1"
    assert [parameter.name for parameter in test.parameters] == ["numbers"]
    assert (test.metrics["passed"].kind, test.metrics["passed"].high) == ("count", 1)
    assert test.counter_examples == {"red": "environment COLOUR"}
    command = bound(
        written,
        **COMMAND
        | {"metrics": [*COMMAND["metrics"], {"name": "exit_code"}, {"name": "d", "sha256_of": "{numbers}"}]},
    )
    assert (command.kind, command.reference) == ("command", "command:python tool.py {numbers}")
    assert command.where.path == "contracts/small-v1.yaml"
    assert command.readings[1:] == (Reading("exit_code"), Reading("d", sha256_of="{numbers}"))
    assert [command.metrics[name].kind for name in ("error", "exit_code", "d")] == ["real", "count", "text"]


@pytest.mark.parametrize(
    "name",
    ["test_conditional", "test_assigned", "TestPlain::test_inside", "TestOther::test_seen_only_when_run",
     "test_many[1]", "TestPlain"],
)  # fmt: skip
def test_a_test_is_found_where_it_can_be_seen(written: Project, name: str) -> None:
    assert bound(written, **PYTEST | {"pytest": f"tests/test_it.py::{name}"}).kind == "pytest"


@pytest.mark.parametrize(
    ("changes", "place", "why"),
    [
        ({"pytest": "tests/test_it.py::test_gone"}, "pytest", "there is no test_gone"),
        ({"pytest": "tests/test_it.py::TestPlain::test_gone"}, "pytest", "there is no test_gone"),
        ({"pytest": "tests/gone.py::test_a"}, "pytest", "there is no tests/gone.py"),
        ({"pytest": "tests"}, "pytest", "tests is no Python file"),
        ({"pytest": "../tests/test_it.py"}, "pytest", "no path inside the project"),
        ({"pytest": "tests/broken.py::test_a"}, "", r"tests/broken.py:1:\d+: .*cannot be parsed"),
        ({"with": {"n": 1}}, "with", "has a use for check: only"),
        ({"metrics": [{"name": "passed"}]}, "metrics", "recorded by pv"),
        ({"metrics": [{"name": "x"}, {"name": "x"}]}, "name: x", "declared twice"),
        ({"metrics": [{"name": "x", "pointer": "/a"}]}, "pointer: /a", "for command: only"),
        ({"metrics": [{"name": "x", "low": "0"}]}, "low:", "low must be a number"),
        ({"metrics": [{"name": "x", "high": True}]}, "high:", "high must be a number"),
        ({"metrics": [{"name": "x", "kind": "whole"}]}, "metrics", "none of real, count, text"),
        ({"metrics": [{"unit": "1"}]}, "metrics", "needs a name"),
        ({"metrics": [{"name": "x", "colour": "red"}]}, "colour:", "has no 'colour'"),
        ({"environment": {"A": "{letters}"}}, "environment", r"\{letters\} is no role"),
        ({"environment": {"A": "{"}}, "environment", "belongs to no name"),
        ({"subjects": {"live": {"seed": "shipped"}}}, "subjects", "cannot be called 'seed'"),
        ({"sources": ["gone"]}, "sources", "there is no gone"),
        ({"counter_examples": ["red"]}, "counter_examples", "says what it replaces"),
        ({"counter_examples": {"x": {}}}, "x", "replaces nothing"),
        ({"counter_examples": {"x": {"subjects": {"numbers": "tool.py"}}}}, "numbers", "passed to nothing"),
        ({"counter_examples": {"x": {"modules": {"tool.py": "gone.py"}}}}, "tool.py", "there is no gone.py"),
        ({"counter_examples": {"x": {"modules": {"tool.py": "tool.py"}}}}, "tool.py", "in its own place"),
        ({"counter_examples": {"x": {"modules": {"tool.py": "pv.toml"}}}}, "tool.py", "no Python file"),
        ({"counter_examples": {"x": {"modules": {"tests/test_it.py": "tool.py"}}}},
         "tests/test_it.py", "replaces the test itself"),
        ({"counter_examples": {"x": {"arguments": []}}}, "arguments", "as they are"),
        ({"counter_examples": {"x": {"environment": {"A": "{b}"}}}}, "A", r"\{b\} is no role"),
        ({"environment": {"A": "1"}, "counter_examples": {"x": {"environment": {"A": "1"}}}},
         "A", "leaves A"),
        ({"satisfying_example": {"with": {"a": 1}}, "outcome": "refuted"}, "with", "fills roles otherwise"),
        ({"subjects": {"functional": {"n": "stand-in"}, "live": {"n": "shipped", "m": "shipped"}},
          "environment": {"A": "{m}"}}, "pytest", r"needs \['m'\] \(at functional level\)"),
    ],
)  # fmt: skip
def test_what_cannot_be_run_as_it_is_declared_is_an_error_at_its_place(
    written: Project, changes: dict[str, Any], place: str, why: str
) -> None:
    _refused(written, PYTEST | changes, place, why)


@pytest.mark.parametrize(
    ("changes", "place", "why"),
    [
        ({"command": ["{numbers}"]}, "command", "no fixed word"),
        ({"command": ["tools/gone", "x"]}, "command", "there is no tools/gone"),
        ({"command": ["python", "tool.py", "{letters}"]}, "{letters}", r"\{letters\} is no role"),
        ({"command": ["python", '{"a": 1}']}, "a", "belongs to no name"),
        ({"metrics": []}, "command", "nothing would be measured"),
        ({"metrics": [{"name": "x"}]}, "metrics", "does not say where it is read"),
        ({"metrics": [{"name": "x", "pointer": "a"}]}, "pointer: a", "does not begin with /"),
        (
            {"metrics": [{"name": "x", "pointer": "/a", "file": "out.json"}]},
            "file: out.json",
            "does not lie in",
        ),
        ({"metrics": [{"name": "x", "pointer": "/a", "file": "{numbers}"}]}, "file:", "does not lie in"),
        ({"metrics": [{"name": "x", "sha256_of": "/etc/passwd"}]}, "sha256_of", "does not lie in"),
        ({"metrics": [{"name": "x", "sha256_of": "{scratch}/a", "pointer": "/a"}]}, "metrics", "a digest"),
        ({"metrics": [{"name": "exit_code", "kind": "real"}]}, "metrics", "a count"),
        ({"counter_examples": {"x": {"arguments": ["tool.py", "{numbers}"]}}}, "arguments", "as they are"),
        ({"counter_examples": {"x": {"modules": {"tool.py": "tool.py"}}}}, "modules", "only pytest: can"),
    ],
)
def test_so_it_is_for_commands(written: Project, changes: dict[str, Any], place: str, why: str) -> None:
    _refused(written, COMMAND | changes, place, why)


def _refused(project: Project, clause: dict[str, Any], place: str, why: str) -> None:
    with pytest.raises(BindingError, match=why) as caught:
        bound(project, **clause)
    lines = (project.root / "contracts/small-v1.yaml").read_text().splitlines()
    found = re.match(r".*small-v1.yaml:(\d+):\d+: ", str(caught.value))
    if place:
        assert found, caught.value
        around = "\n".join(lines[max(int(found[1]) - 2, 0) : int(found[1])])
        assert place in around, (str(caught.value), around)


def test_a_link_that_leads_out_of_the_project_is_refused(written: Project) -> None:
    (written.root / "out").symlink_to("/etc/passwd")
    _refused(written, PYTEST | {"sources": ["out"]}, "sources", "leads out of the project")


def test_a_falsifier_with_nothing_is_bound_to_nothing(written: Project) -> None:
    written.contract(check=None)
    with pytest.raises(BindingError, match="no check is bound"):
        bind_falsifier(written.load().falsifiers[0], written.config())
