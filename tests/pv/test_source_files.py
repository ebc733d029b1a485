from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pv.errors import BindingError
from pv.pytest_settings import conftests, find_settings
from pv.source_files import declared_closure, search_path

if TYPE_CHECKING:
    from pv.closure import Closure
    from tests.pv.conftest import Project

FILES = {
    "conftest.py": "pytest_plugins = ['plug']\n",
    "plug.py": "",
    "tests/conftest.py": "import helper\n",
    "tests/helper.py": "import json\n",
    "tests/test_a.py": "import pytest, numpy.linalg\n"
    "from pack import inner\nfrom deep import x\n\ndef test_a(): pass\n",
    "tests/test_b.py": "import unrelated\n",
    "src/pack/__init__.py": "",
    "src/pack/inner.py": "from . import sibling\nfrom .sub.leaf import y\n",
    "src/pack/sibling.py": "",
    "src/pack/sub/__init__.py": "",
    "src/pack/sub/leaf.py": "from ...pack import late\ny = 1\n",
    "src/pack/late.py": "import pv.check\n",
    "src/unrelated.py": "",
    "lib/deep.py": "x = 1\n",
    "mutants/inner.py": "import mutated\n",
    "src/mutated.py": "",
    "data/rows/a.csv": "1\n",
    "data/rows/__pycache__/a.pyc": "x",
    "pytest.ini": "[pytest]\npythonpath = lib\naddopts = -q\n",
}
CLAUSE: dict[str, Any] = {
    "check": None,
    "subjects": None,
    "pytest": "tests/test_a.py::test_a",
    "sources": ["data/rows"],
    "expect": ["min(passed) == 1"],
    "counter_examples": {"m": {"modules": {"src/pack/inner.py": "mutants/inner.py"}}},
}


def write(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")


@pytest.fixture
def tree(project: Project) -> Project:
    project.edit("pv.toml", 'sources = ["."]', 'sources = ["src"]')
    write(project.root, FILES)
    project.contract(**CLAUSE)
    return project


def closure(project: Project) -> Closure:
    return declared_closure(project.load().falsifiers[0], project.config())


def test_everything_that_a_test_imports_is_followed_by_path(tree: Project) -> None:
    found = closure(tree)
    unrelated = {"tests/test_b.py", "src/unrelated.py", "data/rows/__pycache__/a.pyc", "pytest.ini"}
    assert {name for name, _ in found.modules} == set(FILES) - unrelated
    assert all(path == tree.root / name for name, path in found.modules)
    assert {name for name, _ in found.digests} - {name for name, _ in found.modules} == {
        "pytest settings of pytest.ini"
    }
    assert {"pytest", "numpy.linalg"} <= set(found.outside)
    assert not {"pack", "deep", "helper", "plug", "pv", "pv.check"} & set(found.outside)
    falsifier, config = tree.load().falsifiers[0], tree.config()
    shown = [path.relative_to(tree.root).as_posix() for path in search_path(falsifier, config)]
    assert shown == ["tests", ".", "lib", "src"]


@pytest.mark.parametrize(
    ("name", "text", "changes"),
    [
        ("tests/test_a.py", FILES["tests/test_a.py"].replace("pass", "assert 1"), True),
        ("tests/test_a.py", FILES["tests/test_a.py"] + "# a remark\n", False),
        ("conftest.py", FILES["conftest.py"] + "x = 1\n", True),
        ("src/pack/late.py", "x = 1\n", True),
        ("src/unrelated.py", "x = 1\n", False),
        ("mutants/inner.py", "x = 1\n", True),
        ("src/mutated.py", "x = 1\n", True),
        ("data/rows/a.csv", "2\n", True),
        ("data/rows/b.csv", "", True),
        ("data/rows/__pycache__/a.pyc", "y", False),
        ("tests/deep.py", "x = 2\n", True),
        ("pytest.ini", "[pytest]\npythonpath = lib\naddopts = -x -v\ncache_dir = z\n", False),
        ("pytest.ini", "[pytest]\npythonpath = lib\nxfail_strict = true\n", True),
        ("tests/pytest.ini", "[pytest]\n", True),
        ("setup.cfg", "[tool:pytest]\nxfail_strict = true\n", False),
    ],
)
def test_what_can_alter_a_test_changes_its_digest(tree: Project, name: str, text: str, changes: bool) -> None:
    before = closure(tree)
    write(tree.root, {name: text})
    assert (closure(tree).sha256 != before.sha256) is changes


def test_what_takes_the_place_of_a_role_is_part_of_it(tree: Project) -> None:
    tree.contract(
        **CLAUSE
        | {
            "subjects": {"live": {"numbers": "shipped"}},
            "environment": {"N": "{numbers}"},
            "counter_examples": {"n": {"subjects": {"numbers": "data/other"}}},
        }
    )
    write(tree.root, {"data/other/a.bin": "1", "data/other/b.py": "x = 1\n"})
    before = closure(tree)
    assert {"data/other/a.bin", "data/other/b.py"} <= {name for name, _ in before.modules}
    write(tree.root, {"data/other/a.bin": "2"})
    assert closure(tree).sha256 != before.sha256


def test_a_command_depends_on_the_words_that_are_files(tree: Project) -> None:
    write(tree.root, {"tools/tool.py": "import beside\n", "tools/beside.py": "", "tools/other.py": ""})
    tree.contract(
        **CLAUSE
        | {
            "pytest": None,
            "command": ["python", "tools/tool.py", "data/rows/a.csv", "{scratch}/x", "x" * 5000, "--a=1"],
            "sources": None,
            "counter_examples": {"other": {"arguments": ["tools/other.py"]}},
        }
    )
    assert [name for name, _ in closure(tree).modules] == [
        "data/rows/a.csv", "tools/beside.py", "tools/other.py", "tools/tool.py",
    ]  # fmt: skip
    tree.contract(**CLAUSE | {"pytest": None, "command": ["python", "-m", "pack.late"], "sources": None,
                              "counter_examples": None})  # fmt: skip
    assert [name for name, _ in closure(tree).modules] == ["src/pack/__init__.py", "src/pack/late.py"]


def test_a_file_that_cannot_be_parsed_is_an_error_at_its_line(tree: Project) -> None:
    write(tree.root, {"tests/helper.py": "x = (\n"})
    with pytest.raises(BindingError, match=r"tests/helper.py:1:1: .*cannot be parsed"):
        closure(tree)


@pytest.mark.parametrize(
    ("files", "chosen", "values"),
    [
        ({}, None, {}),
        ({"pyproject.toml": "[project]\nname = 'x'\n"}, None, {}),
        ({"pyproject.toml": "[tool.pytest.ini_options]\na = 'b'\n"}, "pyproject.toml", {"a": "b"}),
        ({"pyproject.toml": "[tool.pytest]\na = 'b'\n"}, "pyproject.toml", {"a": "b"}),
        ({"pytest.ini": "", "tox.ini": "[pytest]\na = b\n"}, "pytest.ini", {}),
        ({"tox.ini": "[tox]\n[pytest]\na = b\n"}, "tox.ini", {"a": "b"}),
        ({"setup.cfg": "[tool:pytest]\na = %(b)s\naddopts = -q\n"}, "setup.cfg", {"a": "%(b)s"}),
        (
            {"pytest.ini": "", "deep/tests/pytest.ini": "[pytest]\na = b\n"},
            "deep/tests/pytest.ini",
            {"a": "b"},
        ),
    ],
)
def test_the_nearest_file_with_a_section_of_pytest_decides(
    tmp_path: Path, files: dict[str, str], chosen: str | None, values: dict[str, str]
) -> None:
    write(tmp_path, {"deep/tests/test_a.py": "", "deep/conftest.py": "", **files})
    test = tmp_path / "deep/tests/test_a.py"
    found = find_settings(test, tmp_path)
    assert (found.file, found.values) == (tmp_path / chosen if chosen else None, values)
    assert conftests(test, tmp_path) == (tmp_path / "deep/conftest.py",)


def test_settings_that_cannot_be_read_are_an_error(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": "[tool\n", "test_a.py": ""})
    with pytest.raises(BindingError, match=r"pyproject.toml:1:1: .*cannot be read"):
        find_settings(tmp_path / "test_a.py", tmp_path)


@pytest.mark.parametrize(
    ("command", "environment", "edited", "text", "changes"),
    [
        # A script without the ending of Python is Python: by its first line, and by who runs it.
        (["tools/run"], {}, "src/pack/inner.py", "VALUE = 2\n", True),
        (["python", "-W", "error", "tools/plain"], {}, "src/pack/inner.py", "VALUE = 2\n", True),
        (["python", "tools/plain"], {}, "tools/plain", "# said\nimport pack.inner\n", False),
        (["python", "-c", "from pack import inner"], {}, "src/pack/inner.py", "VALUE = 2\n", True),
        (["python", "-c", "import at_root"], {}, "at_root.py", "VALUE = 2\n", True),
        # What a word or a variable names may be read as text.
        (["python", "tools/plain", "src/pack/late.py"], {}, "src/pack/late.py", "# TODO\n", True),
        (["python", "tools/plain", "src"], {}, "src/unrelated.py", "# TODO\n", True),
        (["python", "tools/plain", "src"], {}, "src/added.py", "", True),
        (["python", "tools/plain", "--rows=data/rows/a.csv"], {}, "data/rows/a.csv", "9\n", True),
        (["python", "tools/plain", "tests/test_b.py::test_b"], {}, "tests/test_b.py", "x = 1\n", True),
        (["python", "tools/plain"], {"ROWS": "data/rows/a.csv"}, "data/rows/a.csv", "9\n", True),
        (["python", "tools/plain"], {"PYTHONPATH": "lib:src"}, "lib/extra.py", "x = 2\n", True),
        (["python", "tools/plain"], {}, "src/sitecustomize.py", "import pack\n", True),
        (["python", "tools/plain"], {}, "data/rows/a.csv", "9\n", False),
    ],
)
def test_what_a_command_may_depend_on_changes_its_digest(
    tree: Project, command: list[str], environment: dict[str, str], edited: str, text: str, changes: bool
) -> None:
    write(
        tree.root,
        {
            "tools/run": "#!/usr/bin/env python3\nimport pack.inner\n",
            "tools/plain": "import pack.inner\n",
            "at_root.py": "VALUE = 1\n",
            "lib/extra.py": "x = 1\n",
        },
    )
    tree.contract(
        **CLAUSE
        | {"pytest": None, "command": command, "environment": environment, "sources": None}
        | {"counter_examples": {"m": {"arguments": ["-h"]}}}
    )
    before = closure(tree)
    write(tree.root, {edited: text})
    assert (closure(tree).sha256 != before.sha256) is changes


def test_what_a_counter_example_sets_is_part_of_it(tree: Project) -> None:
    write(tree.root, {"tools/tool.py": "", "lib/pack.py": "x = 1\n"})
    tree.contract(
        **CLAUSE
        | {"pytest": None, "command": ["python", "tools/tool.py"], "sources": None}
        | {"counter_examples": {"m": {"environment": {"PYTHONPATH": "lib"}}}}
    )
    before = closure(tree)
    write(tree.root, {"lib/pack.py": "x = 2\n"})
    assert closure(tree).sha256 != before.sha256


def test_the_folder_of_the_evidence_is_no_word(tree: Project) -> None:
    write(tree.root, {"tools/tool.py": ""})
    tree.contract(**CLAUSE | {"pytest": None, "command": ["python", "tools/tool.py", "."]})
    with pytest.raises(BindingError, match="a folder in which the evidence lies"):
        closure(tree)
