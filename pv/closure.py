"""The source closure of a check: which project files its measurements depend on, and their digest.

The closure is found statically: nothing is imported. Comments, docstrings and blank lines are cut
out before hashing, so that rewording them leaves evidence fresh. The digest does not depend on
the Python version, because what is hashed is the file's own bytes less those ranges.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache
from pathlib import Path

from pv.errors import BindingError, Location

__all__ = ["Closure", "find_closure", "find_module", "normalise"]

ENGINE = "pv"


@dataclasses.dataclass(frozen=True)
class Closure:
    """Project modules by name, the outside modules they import, and one digest over the former."""

    modules: tuple[tuple[str, Path], ...]
    outside: tuple[str, ...]
    sha256: str


def find_module(name: str, sources: Sequence[Path]) -> Path | None:
    """Return the file of module `name` in the first of `sources` that has it; None for outside modules."""
    parts = name.split(".")
    for source in sources:
        base = source.joinpath(*parts)
        for candidate in (base / "__init__.py", base.with_suffix(".py")):
            if candidate.is_file():
                return candidate
    return None


def find_closure(roots: Iterable[str], sources: Sequence[Path]) -> Closure:
    """Follow the imports of the modules `roots` through the project's own files.

    Imports inside functions count; those of the engine (``pv``) do not: its semantics have a version.

    Raises
    ------
    BindingError
        A root is not in the project's sources, or a file cannot be parsed.
    """

    @cache
    def find(name: str) -> Path | None:
        return find_module(name, sources)

    found: dict[str, Path] = {}
    outside: set[str] = set()
    wanted = set(roots)
    waiting = sorted(wanted)
    while waiting:
        name = waiting.pop()
        if name in found or name.split(".")[0] == ENGINE:
            continue
        path = find(name)
        if path is None:
            if name in wanted:
                raise BindingError(
                    f"module {name} is in none of the project's sources",
                    remedy="name its folder in pv.toml under [project] sources, or correct `check:`",
                )
            outside.add(name)
            continue
        found[name] = path
        waiting += _packages(name)
        waiting += _resolve(_scan(path).imports, name, path.name == "__init__.py", find)
    modules = tuple(sorted(found.items()))
    digest = hashlib.sha256()
    for name, path in modules:
        digest.update(f"{name}\0{_scan(path).sha256}\n".encode())
    project = {name.split(".")[0] for name in found}
    return Closure(
        modules, tuple(sorted(o for o in outside if o.split(".")[0] not in project)), digest.hexdigest()
    )


def normalise(source: bytes) -> bytes:
    """Cut comments, docstrings and blank lines out of Python `source`; lines of strings stay as they are.

    Raises
    ------
    SyntaxError
        It is not Python.
    """
    return _cut(source, list(ast.walk(ast.parse(source))))


def _cut(source: bytes, nodes: Sequence[ast.AST]) -> bytes:
    lines = [bytearray(line) for line in source.splitlines()]
    docstrings = {id(found): found for node in nodes if (found := _docstring(node)) is not None}
    cuts = [_extent(found) for found in docstrings.values()]
    inside_string: set[int] = set()
    strings: dict[int, list[tuple[int, int]]] = {}
    for node in nodes:
        if not (
            isinstance(node, ast.JoinedStr)
            or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes))
        ):
            continue
        first, start, last, stop = _extent(node)
        if id(node) not in docstrings:
            inside_string.update(range(first, last))
        for row in range(first, last + 1):
            bounds = (start if row == first else 0, stop if row == last else len(lines[row - 1]))
            strings.setdefault(row, []).append(bounds)
    for row, line in enumerate(lines, start=1):
        # What is not within a string is a comment. Between the pieces of one string it counts as the string.
        at = line.find(b"#")
        while at >= 0 and any(start <= at < stop for start, stop in strings.get(row, ())):
            at = line.find(b"#", at + 1)
        if at >= 0:
            cuts.append((row, at, row, len(line)))
    for first_row, first_column, last_row, last_column in sorted(cuts, reverse=True):
        for row in range(first_row, last_row + 1):
            start = first_column if row == first_row else 0
            stop = last_column if row == last_row else len(lines[row - 1])
            del lines[row - 1][start:stop]
    kept = [
        bytes(line) if row in inside_string else bytes(line).rstrip()
        for row, line in enumerate(lines, start=1)
        if row in inside_string or line.strip()
    ]
    return b"\n".join(kept)


def _docstring(node: ast.AST) -> ast.Constant | None:
    if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return None
    first = node.body[0] if node.body else None
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        return first.value
    return None


def _extent(node: ast.expr) -> tuple[int, int, int, int]:
    """Return first row, first byte, last row, and the byte after the last; rows count from 1."""
    return node.lineno, node.col_offset, node.end_lineno or node.lineno, node.end_col_offset or 0


@dataclasses.dataclass(frozen=True)
class _Scan:
    """One file: its imports as (level, module, imported name or None), and the digest of what counts."""

    imports: tuple[tuple[int, str, str | None], ...]
    sha256: str


def _scan(path: Path) -> _Scan:
    status = path.stat()
    return _scan_bytes(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=4096)
def _scan_bytes(path: Path, _modified: int, _size: int) -> _Scan:
    source = path.read_bytes()
    try:
        nodes = list(ast.walk(ast.parse(source)))
        digest = hashlib.sha256(_cut(source, nodes)).hexdigest()
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", 1) or 1
        raise BindingError(
            f"cannot be parsed as Python: {error}", where=Location(str(path), line, 1), remedy="mend the file"
        ) from error
    imports: list[tuple[int, str, str | None]] = []
    for node in nodes:
        if isinstance(node, ast.Import):
            imports += [(0, alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            imports += [(node.level, node.module or "", alias.name) for alias in node.names]
    return _Scan(tuple(imports), digest)


def _packages(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _resolve(
    imports: Iterable[tuple[int, str, str | None]],
    name: str,
    package: bool,
    find: Callable[[str], Path | None],
) -> list[str]:
    names: list[str] = []
    for level, module, imported in imports:
        base = module
        if level:
            parts = name.split(".")
            keep = len(parts) - level + (1 if package else 0)
            base = ".".join([*parts[: max(keep, 0)], *([module] if module else [])])
        if base and base != "__future__":
            names.append(base)
        # `from package import module` names a module only where there is such a file.
        if imported and find(full := f"{base}.{imported}".lstrip(".")) is not None:
            names.append(full)
    return names
