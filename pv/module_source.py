"""From the name of a module to its source, without importing anything."""

from __future__ import annotations

import ast
import dataclasses
from pathlib import Path

from pv.closure import find_module
from pv.config import Config
from pv.errors import BindingError, Location
from pv.python_source import UNREADABLE, not_python, parse_python
from pv.regular_file import read_regular_file

__all__ = ["ModuleSource", "find_source", "read_source"]


@dataclasses.dataclass(frozen=True)
class ModuleSource:
    """A Python file of the project; `path` is what messages call it."""

    path: str
    tree: ast.Module

    def at(self, node: ast.stmt) -> Location:
        """Return where `node` stands."""
        return Location(self.path, node.lineno, node.col_offset + 1)


def find_source(
    module: str, config: Config, *, named: str = "the name", where: Location | None = None
) -> ModuleSource:
    """Find `module` in the project's sources and parse it.

    Parameters
    ----------
    named
        What to correct where there is no such module.
    where
        Where it is named.

    Raises
    ------
    BindingError
        It is in none of the sources, or its file cannot be read as Python.
    """
    path = find_module(module, config.sources)
    if path is None:
        raise BindingError(
            f"module {module} is in none of the project's sources",
            where=where,
            remedy=f"name its folder in pv.toml under [project] sources, or correct {named}",
        )
    return read_source(path, config)


def read_source(path: Path, config: Config) -> ModuleSource:
    """Parse the file `path`.

    Raises
    ------
    BindingError
        It cannot be read, or not as Python.
    """
    shown = config.relative(path)
    try:
        return ModuleSource(shown, parse_python(read_regular_file(path)))
    except UNREADABLE as error:
        raise not_python(error, shown) from error
    except OSError as error:
        raise BindingError(
            f"cannot be read: {error.strerror}",
            where=Location(shown, 1, 1),
            remedy="put a Python file in its place",
        ) from error
