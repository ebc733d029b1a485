from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pv.worker_environment import worker_environment


def test_only_what_is_named_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", "/models")
    monkeypatch.setenv("PYTHONHASHSEED", "17")
    monkeypatch.setenv("SOMETHING_ELSE", "1")
    made = worker_environment()
    assert made["HF_HOME"] == "/models"
    assert made["PYTHONHASHSEED"] == "0"
    assert "SOMETHING_ELSE" not in made
    assert os.environ["PYTHONHASHSEED"] == "17"


def test_the_engine_is_found_in_it() -> None:
    program = "import importlib.util; print(importlib.util.find_spec('pv').origin)"
    found = subprocess.run(
        [sys.executable, "-P", "-c", program],
        env=worker_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    spec = importlib.util.find_spec("pv")
    assert spec is not None
    assert found.stdout.strip() == spec.origin


def test_packages_beside_the_interpreters_own_are_found_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("named", "unnamed"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"module_that_is_{name}.py").touch()
    monkeypatch.setenv("PV_PACKAGES", str(tmp_path / "named"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "unnamed"))
    program = "import importlib.util, sys; print(*map(bool, map(importlib.util.find_spec, sys.argv[1:])))"
    found = subprocess.run(
        [sys.executable, "-P", "-c", program, "module_that_is_named", "module_that_is_unnamed"],
        env=worker_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == ["True", "False"]
