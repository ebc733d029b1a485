from __future__ import annotations

from pathlib import Path

import pytest

from pv.binding import bind
from pv.config import Config
from pv.errors import BindingError, Location
from pv.module_source import find_source, read_source
from tests.pv.test_python_source import DEEP


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(tmp_path, (), tmp_path / "evidence", (tmp_path / "first", tmp_path / "second"), {})


def written(config: Config, name: str, text: str) -> Path:
    path = config.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_module_is_found_in_the_first_source_that_has_it(config: Config) -> None:
    written(config, "second/package/m.py", "raise RuntimeError\n\n  \nx = 1")
    source = find_source("package.m", config)
    assert source.path == "second/package/m.py"
    assert source.at(source.tree.body[1]) == Location("second/package/m.py", 4, 1)
    written(config, "first/package/m/__init__.py", "")
    assert find_source("package.m", config).path == "first/package/m/__init__.py"


def test_one_that_is_not_there_is_refused_at_the_place_that_names_it(config: Config) -> None:
    where = Location("a.yaml", 3, 5)
    with pytest.raises(BindingError, match="module gone is in none of the project's sources") as caught:
        find_source("gone", config, named="`check:`", where=where)
    assert caught.value.where == where
    assert caught.value.remedy.endswith("or correct `check:`")


@pytest.mark.parametrize("text", ["def f(", "x = '\0'", DEEP], ids=["syntax", "null byte", "deep"])
def test_what_is_no_python_is_refused_at_its_own_place(config: Config, text: str) -> None:
    path = written(config, "first/m.py", text)
    with pytest.raises(BindingError, match=r"first/m.py:1:1: error: cannot be parsed as Python"):
        read_source(path, config)
    with pytest.raises(BindingError, match="cannot be parsed as Python"):
        bind("m:f", config)


def test_what_cannot_be_read_is_refused(config: Config) -> None:
    (config.root / "first").mkdir()
    # A regular file whose first byte nobody can read, not even the one to whom no file is closed.
    (config.root / "first" / "m.py").symlink_to("/proc/self/mem")
    with pytest.raises(BindingError, match=r"m.py:1:1: error: cannot be read: Input/output error"):
        find_source("m", config)
