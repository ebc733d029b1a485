from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pv.errors import PvError
from pv.installed import missing_modules


def test_what_is_installed_and_what_comes_with_python_is_found() -> None:
    assert missing_modules(["pydantic", "json", "sys", "no_such_module"], []) == ("no_such_module",)
    assert missing_modules([], []) == ()


def test_nothing_is_imported(tmp_path: Path) -> None:
    (tmp_path / "explosive.py").write_text("raise SystemExit('imported')\n")
    assert missing_modules(["explosive"], [tmp_path]) == ()


def test_where_a_command_is_run_makes_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its folder nor its PYTHONPATH is one that checks have."""
    (tmp_path / "lying_here.py").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    assert missing_modules(["lying_here"], []) == ("lying_here",)


def test_a_folder_without_code_is_no_module(tmp_path: Path) -> None:
    """It may be of the project, or what was left when a package was removed."""
    (tmp_path / "leftover" / "lib").mkdir(parents=True)
    assert missing_modules(["leftover"], [tmp_path]) == ("leftover",)


def test_a_folder_without_code_is_found_where_a_distribution_has_it(tmp_path: Path) -> None:
    """As `google`, which many distributions share."""
    (tmp_path / "spread_out" / "part").mkdir(parents=True)
    (tmp_path / "spread_out" / "part" / "__init__.py").write_text("")
    told = tmp_path / "spread_out-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: spread-out\nVersion: 1.0\n")
    (told / "RECORD").write_text("spread_out/part/__init__.py,,\n")
    assert missing_modules(["spread_out"], [tmp_path]) == ()


def test_an_interpreter_that_does_not_answer_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(PvError, match="/bin/false does not say which modules it has"):
        missing_modules(["asked_only_here"], [])


def test_nothing_of_the_project_stands_for_a_part_of_the_standard_library(tmp_path: Path) -> None:
    """What reads the names of distributions imports several, late."""
    mark = tmp_path / "mark"
    for name in ("csv", "email", "random", "socket", "inspect", "quopri", "base64", "pathlib"):
        (tmp_path / f"{name}.py").write_text(f"open({str(mark)!r}, 'w').close()\n")
    (tmp_path / "bare" / "inside").mkdir(parents=True)
    assert missing_modules(["bare", "csv", "no_such"], [tmp_path]) == ("bare", "no_such")
    assert not mark.exists()
