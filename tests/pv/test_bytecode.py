from __future__ import annotations

import os
import py_compile
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from pv.bytecode import distrust_bytecode
scratch, installed, *sys.path[:0] = sys.argv[1:]
distrust_bytecode(scratch, [installed])
from package.module import VALUE
print(VALUE)
"""


def write_stale(folder: Path) -> Path:
    """Write a package whose bytecode is that of another source, of the same size and time."""
    module = folder / "package" / "module.py"
    module.parent.mkdir(parents=True)
    (module.parent / "__init__.py").write_text("")
    module.write_text("VALUE = 'bytecode'\n")
    os.utime(module, (1, 1))
    py_compile.compile(str(module), doraise=True)
    module.write_text("VALUE = 'the text'\n")
    os.utime(module, (1, 1))
    return module


def imported(tmp_path: Path, installed: Path, *folders: Path) -> str:
    """Return what a process imports that distrusts the bytecode of what is not `installed`."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    words = [sys.executable, "-c", PROGRAM, *map(str, (scratch, installed, *folders))]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    assert list(scratch.iterdir()) == []
    return str(done.stdout.strip())


def test_what_is_installed_is_not_compiled_again(tmp_path: Path) -> None:
    write_stale(tmp_path / "site")
    assert imported(tmp_path, tmp_path / "site", tmp_path / "site") == "bytecode"


def test_of_the_project_only_the_source_counts(tmp_path: Path) -> None:
    write_stale(tmp_path / "site-packages-not")
    assert imported(tmp_path, tmp_path / "site-packages", tmp_path / "site-packages-not") == "the text"


@pytest.mark.parametrize("linked", ["package", "package/module.py"])
def test_a_link_to_the_project_is_the_project(tmp_path: Path, linked: str) -> None:
    write_stale(tmp_path / "project")
    site = tmp_path / "site"
    (site / linked).parent.mkdir(parents=True, exist_ok=True)
    if linked == "package/module.py":
        (site / "package" / "__init__.py").write_text("")
    (site / linked).symlink_to(tmp_path / "project" / linked)
    if linked == "package/module.py":
        (site / "package" / "__pycache__").symlink_to(tmp_path / "project" / "package" / "__pycache__")
    assert imported(tmp_path, tmp_path / "site", site) == "the text"


def test_stale_bytecode_of_what_is_installed_is_noticed_as_ever(tmp_path: Path) -> None:
    module = write_stale(tmp_path / "site")
    os.utime(module, (2, 2))
    assert imported(tmp_path, tmp_path / "site", tmp_path / "site") == "the text"
