"""The settings under which pytest runs a test: which file holds them, and what of them counts.

The first folder from the test's own up to the project's root that has a file with pytest's section
decides, as pytest itself has it (https://docs.pytest.org/en/stable/reference/customize.html). Its
``addopts`` count for nothing: they are options for people, and pv does not pass them.
"""

from __future__ import annotations

import configparser
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pv.errors import BindingError, Location
from pv.regular_file import read_regular_file
from pv.toml_text import parse_toml

__all__ = ["Settings", "conftests", "find_settings"]

_DEDICATED = ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini")
_SHARED = {"tox.ini": "pytest", "setup.cfg": "tool:pytest"}
_NOT_PASSED = frozenset({"addopts", "cache_dir"})


@dataclasses.dataclass(frozen=True)
class Settings:
    """The file that holds pytest's settings, or None, and what it says less what is not passed on."""

    file: Path | None
    values: Mapping[str, Any]

    @property
    def search_path(self) -> tuple[Path, ...]:
        """The folders that ``pythonpath`` names, relative to the file."""
        stated = self.values.get("pythonpath", ())
        names = stated.split() if isinstance(stated, str) else [str(name) for name in stated]
        return tuple(self.file.parent / name for name in names) if self.file else ()


def find_settings(test: Path, root: Path) -> Settings:
    """Find the settings of the test file `test` of the project at `root`.

    Raises
    ------
    BindingError
        A file that may hold them cannot be read.
    """
    for folder in _folders(test, root):
        for name in (*_DEDICATED, "pyproject.toml", *_SHARED):
            file = folder / name
            if file.is_file() and (values := _section(file, root)) is not None:
                kept = {key: value for key, value in sorted(values.items()) if key not in _NOT_PASSED}
                return Settings(file, kept)
    return Settings(None, {})


def conftests(test: Path, root: Path) -> tuple[Path, ...]:
    """Return every ``conftest.py`` that pytest reads for `test`, the root's first."""
    found = [folder / "conftest.py" for folder in reversed(_folders(test, root))]
    return tuple(file for file in found if file.is_file())


def _folders(test: Path, root: Path) -> list[Path]:
    folders = [test.parent]
    while folders[-1] != root and root in folders[-1].parents:
        folders.append(folders[-1].parent)
    return folders


def _section(file: Path, root: Path) -> dict[str, Any] | None:
    try:
        if file.suffix == ".toml":
            whole = parse_toml(read_regular_file(file))
            if file.name != "pyproject.toml":
                return dict(whole.get("pytest", {}))
            section = whole.get("tool", {}).get("pytest")
            if not isinstance(section, dict):
                return None
            options = section.get("ini_options")
            return dict(options) if isinstance(options, dict) else dict(section)
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        parser.read_string(read_regular_file(file).decode("utf-8"), source=file.name)
        if parser.has_section(name := _SHARED.get(file.name, "pytest")):
            return dict(parser.items(name))
    except (OSError, ValueError, configparser.Error) as error:
        raise BindingError(
            f"pytest's settings cannot be read: {error}",
            where=Location(file.relative_to(root).as_posix(), 1, 1),
            remedy="mend the file",
        ) from error
    return {} if file.name in _DEDICATED else None
