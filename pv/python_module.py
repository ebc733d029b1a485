"""A Python file to which definitions are added: nothing that is in it is touched."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pv.config import Config
from pv.errors import BindingError, Location
from pv.python_source import UNREADABLE, bound_names, not_python, parse_python
from pv.regular_file import read_regular_file

__all__ = ["PythonModule"]


class PythonModule:
    """The text of a Python file, there or to be made, and what is to be added to it."""

    def __init__(self, path: Path, config: Config) -> None:
        """Read the file, if there is one.

        Raises
        ------
        BindingError
            It lies outside the project, or is there and cannot be read as Python.
        """
        self.path = path
        self.shown = config.relative(path)
        self.added: list[str] = []
        if not path.resolve().is_relative_to(config.root.resolve()):
            raise BindingError(f"{path} is not inside the project", remedy="name a place inside it")
        self.before: bytes | None = None
        self._text = ""
        self._tree = ast.Module([], [])
        if path.exists():
            try:
                self.before = read_regular_file(path)
            except OSError as error:
                raise BindingError(
                    f"{self.shown} cannot be read: {error.strerror}", remedy="put a Python file in its place"
                ) from error
            try:
                self._text = self.before.decode("utf-8")
                self._tree = parse_python(self._text)
                if "\r" in self._text.replace("\r\n", ""):
                    raise ValueError("its lines end with a carriage return alone")
            except UNREADABLE as error:
                raise not_python(error, self.shown) from error
        self._blocks: list[str] = []
        self._within: dict[str, list[str]] = {}
        self._imports: dict[str, set[str]] = {}

    def defines(self, name: str, within: str | None = None) -> bool:
        """Tell whether the file binds `name`, at its top level or in the class `within`."""
        body = self._tree.body
        if within is not None:
            found = self._class(within)
            if found is None:
                return f"{within}.{name}" in self.added
            body = found.body
        added = name if within is None else f"{within}.{name}"
        return name in _names(body) or added in self.added

    def add(
        self, name: str, text: str, imports: Mapping[str, Sequence[str]], within: str | None = None
    ) -> None:
        """Add the definition `text` of `name`, and the names that it needs, by module.

        Raises
        ------
        BindingError
            The file has one of those names for something else.
        """
        for module, names in imports.items():
            for needed in names:
                if self._imported(module, needed):
                    continue
                if needed.rpartition(" as ")[2] in _names(self._tree.body):
                    raise BindingError(
                        f"{self.shown} has a {needed} of its own, and what is added needs that of {module}",
                        where=Location(self.shown, 1, 1),
                        remedy="name another place with --into",
                    )
                self._imports.setdefault(module, set()).add(needed)
        if within is None:
            self._blocks.append(text)
            self.added.append(name)
        else:
            self._within.setdefault(within, []).append(text)
            self.added.append(f"{within}.{name}")

    def after(self, about: str) -> bytes:
        """Return the whole file with what was added; `about` is what a new one says of itself."""
        if self.before is None:
            head = f'"""{about}"""\n\nfrom __future__ import annotations\n'
            lines = _import_lines(self._imports)
            text = head + ("\n" + "\n".join(lines) + "\n" if lines else "")
        else:
            text = self._with_imports()
        for name, blocks in self._within.items():
            text = self._with_methods(text, name, blocks)
        text = _ended(text) + "".join(f"\n\n{block}" for block in self._blocks)
        try:
            ast.parse(text)  # what is written is Python, or nothing is written
        except SyntaxError as error:
            raise BindingError(
                f"{', '.join(self.added)} cannot be added to it",
                where=Location(self.shown, 1, 1),
                remedy="write it by hand, or name another place",
            ) from error
        if "\r\n" in self._text:
            text = text.replace("\r\n", "\n").replace("\n", "\r\n")
        return text.encode("utf-8")

    def _imported(self, module: str, name: str) -> bool:
        wanted, _, called = name.partition(" as ")
        return any(
            isinstance(node, ast.ImportFrom)
            and node.module == module
            and any(
                (alias.name, alias.asname or alias.name) == (wanted, called or wanted) for alias in node.names
            )
            for node in self._tree.body
        )

    def _with_imports(self) -> str:
        text = self._text.replace("\r\n", "\n")
        if not self._imports:
            return text
        lines = _lines(text)
        at = 0
        for node in self._tree.body:
            documents = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            if not (documents or isinstance(node, ast.Import | ast.ImportFrom)):
                break
            at = node.end_lineno or at
        new = "".join(f"{line}\n" for line in _import_lines(self._imports))
        return _ended("".join(lines[:at])) + new + "".join(lines[at:])

    def _class(self, name: str) -> ast.ClassDef | None:
        return next((n for n in self._tree.body if isinstance(n, ast.ClassDef) and n.name == name), None)

    def _with_methods(self, text: str, name: str, blocks: Sequence[str]) -> str:
        tree = ast.parse(text)
        found = next((n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name), None)
        joined = "\n".join(blocks)
        if found is None:
            return f"{_ended(text)}\n\nclass {name}:\n{joined}"
        lines = _lines(text)
        end = found.end_lineno or len(lines)
        indent = " " * found.body[0].col_offset
        moved = "".join(f"{indent}{line[4:]}" if line.strip() else line for line in _lines(joined))
        return "".join([_ended("".join(lines[:end])), "\n", moved, *lines[end:]])


def _lines(text: str) -> list[str]:
    """Return the lines as Python counts them, which ends none at a form feed or a line separator."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else text + "\n"


def _names(body: Iterable[ast.stmt]) -> set[str]:
    return {bound for bound, _ in bound_names(body)}


def _import_lines(imports: Mapping[str, Iterable[str]]) -> list[str]:
    lines = []
    for module, names in sorted(imports.items()):
        plain = sorted(
            (name for name in names if " as " not in name), key=lambda name: (name.islower(), name)
        )
        lines += [f"from {module} import {', '.join(plain)}"] if plain else []
        lines += [f"from {module} import {name}" for name in sorted(names) if " as " in name]
    return lines
