"""Every check that the project's sources declare: as for a binding, files are parsed, and none imported."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

from pv.binding import Binding, bind
from pv.closure import find_module
from pv.config import Config
from pv.errors import BindingError
from pv.python_source import UNREADABLE, parse_python
from pv.regular_file import read_regular_file

__all__ = ["declared_checks"]

_LEFT_OUT = frozenset({"__pycache__", "node_modules", "site-packages"})


def declared_checks(config: Config) -> tuple[dict[str, Binding], list[BindingError]]:
    """Return the checks by reference, sorted, and what is wrong with those that cannot be read.

    A module is called as from the innermost of the project's sources that holds it. Hidden folders, and
    those of installed packages, are not searched; nor is a file that is no Python.
    """
    found: dict[str, Binding] = {}
    wrong: list[BindingError] = []
    for path in _files(config):
        module = _module(path, config)
        for function in _decorated(path) if module else ():
            try:
                found[f"{module}:{function}"] = bind(f"{module}:{function}", config)
            except BindingError as error:
                wrong.append(error)
    return dict(sorted(found.items())), wrong


def _files(config: Config) -> list[Path]:
    found: set[Path] = set()
    for source in config.sources:
        for parent, folders, names in os.walk(source):
            folders[:] = [
                name
                for name in folders
                if name.isidentifier() and name not in _LEFT_OUT and not _is_environment(parent, name)
            ]
            found.update(Path(parent, name) for name in names if name.endswith(".py"))
    return sorted(found)


def _is_environment(parent: str, name: str) -> bool:
    return Path(parent, name, "pyvenv.cfg").exists()


def _module(path: Path, config: Config) -> str | None:
    """Return the name under which a contract finds `path`; None where it finds none, or another file."""
    within = [source for source in config.sources if path.is_relative_to(source)]
    innermost = max(within, key=lambda source: len(source.parts))
    parts = path.relative_to(innermost).with_suffix("").parts
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    name = ".".join(parts)
    if not parts or not all(part.isidentifier() for part in parts):
        return None
    return name if find_module(name, config.sources) == path else None


def _decorated(path: Path) -> Iterator[str]:
    """Yield the functions at the top level of a file that are decorated with a call of ``check``."""
    try:
        source = read_regular_file(path)
        if b"check(" not in source:
            return  # most files: they need not be parsed
        tree = parse_python(source)
    except (OSError, *UNREADABLE):
        return
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and any(map(_is_check, node.decorator_list)):
            yield node.name


def _is_check(node: ast.expr) -> bool:
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    return (called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")) == "check"
