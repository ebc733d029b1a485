"""A falsifier that is bound to a test, the files that it is about, and what discharges it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pv.discharge import discharge
from pv.outcome import Discharge, Options
from pv.runner import Runner
from pv.subjects import Subjects

if TYPE_CHECKING:
    from tests.pv.conftest import Project


NODE = "tests/test_calc.py"
CLAUSE: Mapping[str, Any] = {
    "id": "FALSIFY-CALC-001",
    "rule": "double doubles",
    "prediction": "of every number",
    "if_fails": "it was edited",
    "pytest": NODE,
    "expect": ["min(passed) == 1"],
    "counter_examples": {"off_by_one": {"modules": {"src/calc.py": "mutants/off_by_one.py"}}},
    "environment": {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},  # half the time
    "needs": {"memory": "512 MiB", "timeout": "20 s"},
}
FILES = {
    "src/calc.py": "def double(number):\n    return 2 * number\n",
    "mutants/off_by_one.py": "def double(number):\n    return 2 * number + 1\n",
    NODE: "from calc import double\n\ndef test_double():\n    assert double(2) == 4\n",
}
Run = Callable[..., Discharge]


def write(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def discharging(project: Project, runner: Runner) -> Run:
    """Return a function that writes files and a clause, and discharges it without recording."""
    project.edit("pv.toml", 'sources = ["."]', 'sources = ["src"]')
    write(project.root, FILES)

    def do(test: str | None = None, files: Mapping[str, str] | None = None, **changes: Any) -> Discharge:
        write(project.root, {**(files or {}), **({NODE: test} if test is not None else {})})
        project.contract({**CLAUSE, **changes})
        contract, config = project.load(), project.config()
        return discharge(
            contract, contract.falsifiers[0], config, Subjects(config), runner, Options(record=False)
        )

    return do
