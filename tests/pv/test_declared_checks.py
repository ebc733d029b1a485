"""The checks of a project, found without importing any."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pv.binding import bind
from pv.config import load_config
from pv.contract import load_contract
from pv.declared_checks import declared_checks

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ROOT = Path(__file__).resolve().parents[2]
CHECK = """\
from pv.check import Metric, Run, check


@check(metrics=[Metric("error")])
def measured(run: Run, *, size: int) -> None:
    raise SystemExit("imported or run")


raise SystemExit("imported")
"""


def write(root: Path, *names: str, text: str = CHECK) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def found(root: Path) -> list[str]:
    checks, wrong = declared_checks(load_config(root))
    assert wrong == []
    assert "small_checks.wholeness:wholeness" in checks
    return [name for name in checks if not name.startswith("small_checks")]


def test_every_check_that_our_contracts_name_is_found_as_it_is_bound() -> None:
    config = load_config(ROOT)
    checks, wrong = declared_checks(config)
    assert wrong == []
    named = {
        falsifier.check
        for path in (ROOT / "contracts").glob("*.yaml")
        for falsifier in load_contract(path).falsifiers
        if falsifier.check is not None
    }
    assert len(named) > 50
    assert named <= checks.keys()
    assert all(checks[name] == bind(name, config) for name in named)
    assert list(checks) == sorted(checks)


def test_nothing_is_imported(project: Project) -> None:
    write(project.root, "pv_checks/one.py", "pv_checks/deep/two.py", "three.py")
    before = set(sys.modules)
    assert found(project.root) == [
        "pv_checks.deep.two:measured",
        "pv_checks.one:measured",
        "three:measured",
    ]
    assert not {name for name in set(sys.modules) - before if name.startswith(("pv_checks", "three"))}


def test_folders_that_hold_no_checks_of_the_project_are_not_searched(project: Project) -> None:
    write(project.root, ".venv/a.py", "__pycache__/b.py", "env/lib/site-packages/c.py", "node_modules/d.py")
    write(project.root, "venv/e.py", "with-dash/f.py", "pv_checks/g-h.py")
    (project.root / "venv" / "pyvenv.cfg").touch()
    assert found(project.root) == []


def test_a_module_is_called_as_from_the_innermost_source(project: Project) -> None:
    project.edit("pv.toml", 'sources = ["."]', 'sources = [".", "libs"]')
    write(project.root, "libs/checks/one.py")
    assert found(project.root) == ["checks.one:measured"]
    # Hidden by another of the same name, it could not be bound.
    write(project.root, "checks/one.py", text="")
    assert found(project.root) == []


def test_what_cannot_be_read_is_told_and_what_is_no_check_is_not(project: Project) -> None:
    write(
        project.root,
        "one.py",
        text="METRICS = []\n\n\n@check(metrics=METRICS)\ndef measured(run):\n    pass\n",
    )
    write(project.root, "two.py", text="@check(metrics=[\n")
    write(
        project.root, "three.py", text="@pv.check.check(metrics=[])\ndef four(run):\n    pass\n\n\ncheck()\n"
    )
    write(project.root, "five.py", text="(" * 3000 + "check(" + ")" * 3000)
    os.mkfifo(project.root / "six.py")
    checks, wrong = declared_checks(load_config(project.root))
    assert [name for name in checks if not name.startswith("small_checks")] == ["three:four"]
    assert [(error.where.path, error.where.line) for error in wrong if error.where] == [("one.py", 4)]


def test_pv_schema_tells_of_them(project: Project) -> None:
    write(project.root, "one.py", text="@check(metrics=M)\ndef measured(run):\n    pass\n")
    ended = project.pv("schema", "--with-checks")
    assert ended.code == 0
    assert ended.err == (
        "one.py:1:2: note: left out: the metrics of a check must be written out as a list in its decorator\n"
    )
    (names, _) = ended.json["$defs"]["falsifier"]["properties"]["check"]["anyOf"]
    assert "small_checks.wholeness:wholeness" in names["enum"]
    assert "one:measured" not in names["enum"]
    shutil.rmtree(project.root / "small_checks")
    (project.root / "one.py").unlink()
    ended = project.pv("schema", "--with-checks")
    assert (ended.code, ended.err) == (0, "note: the sources of this project declare no check\n")
    assert ended.json["$defs"]["falsifier"]["properties"]["check"]["anyOf"][0]["type"] == "string"
    (project.root / "pv.toml").unlink()
    assert project.pv("schema", "--with-checks").code == 2
    assert project.pv("schema").code == 0
