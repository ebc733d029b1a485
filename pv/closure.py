"""The source closure of a check: which project files its measurements depend on, and their digest.

The closure is found statically: nothing is imported. What is hashed is the syntax tree that Python's own
parser makes of a file, less what cannot alter what the file does: positions, comments, docstrings, other
constants that stand alone, and ``pass``. Layout, quoting, redundant brackets, line ends and encodings are
therefore never a change, and any other token always is.

The digest is the same on Python 3.11, 3.12 and 3.13. Their trees differ in positions (those within f-strings
moved in 3.12), in fields that are empty (``type_params``), and in how the text of an f-string is cut into
pieces; none of the three is spelled. Of what is spelled, nothing depends on the Unicode tables, as
``repr`` would.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, lru_cache
from pathlib import Path

from pv.errors import BindingError, Location
from pv.python_source import UNREADABLE, parse_python
from pv.regular_file import read_regular_file

__all__ = ["Closure", "Scan", "closure_digest", "find_closure", "find_module", "normalise", "scan"]

ENGINE = "pv"


@dataclasses.dataclass(frozen=True)
class Closure:
    """Project modules by name, the outside modules they import, and one digest over the former.

    `digests` is the sha256 of each part that counts; where it is a module, `modules` has its file.
    """

    modules: tuple[tuple[str, Path], ...]
    outside: tuple[str, ...]
    sha256: str
    digests: tuple[tuple[str, str], ...]


def closure_digest(digests: Iterable[tuple[str, str]]) -> str:
    """Return the digest of a closure from the name and sha256 of each of its parts, in any order."""
    lines = "".join(f"{name}\0{sha256}\n" for name, sha256 in sorted(digests))
    return hashlib.sha256(lines.encode()).hexdigest()


def find_module(name: str, sources: Sequence[Path]) -> Path | None:
    """Return the file of module `name` in the first of `sources` that has it; None for outside modules."""
    relative = name.replace(".", "/")
    for source in sources:
        # As text: a command asks for hundreds of names, and paths take ten times as long to build.
        for candidate in (f"{source}/{relative}/__init__.py", f"{source}/{relative}.py"):
            if os.path.isfile(candidate):  # noqa: PTH113
                return Path(candidate)
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
        waiting += _resolve(scan(path).imports, name, path.name == "__init__.py", find)
    modules = tuple(sorted(found.items()))
    digests = tuple((name, scan(path).sha256) for name, path in modules)
    project = {name.split(".")[0] for name in found}
    outside = {name for name in outside if name.split(".")[0] not in project}
    return Closure(modules, tuple(sorted(outside)), closure_digest(digests), digests)


def normalise(source: bytes) -> bytes:
    """Spell what Python `source` does, and nothing of how it is written.

    Raises
    ------
    SyntaxError, ValueError
        It is not Python, or holds a NUL.
    """
    return _spelled(parse_python(source), documented=_documented(source))


def _documented(source: bytes) -> bool:
    """Tell whether a file may read docstrings, which then do something: usage texts are parsed, for one."""
    return b"__doc__" in source or b"getdoc" in source


_UNSPELLED = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
"""What follows from the place of a node, or does nothing."""
_BODIES = frozenset({"body", "orelse", "finalbody"})
_END = "\0"


@cache
def _fields(kind: str) -> tuple[str, ...]:
    fields: tuple[str, ...] = getattr(ast, kind)._fields
    return tuple(name for name in reversed(fields) if name not in _UNSPELLED)


def _spelled(tree: ast.AST, *, documented: bool = False) -> bytes:
    """Spell a tree from the root down, without recursion: generated sources are deep.

    Every node is its kind, its fields that are not empty, and an end; every list has an end; every leaf has
    its type. So two trees have one spelling only if they are equal. Docstrings count where they are
    `documented` to be read.
    """
    pieces: list[str] = []
    waiting: list[ast.AST | str] = [tree]  # nodes, and pieces that are spelled already
    push = waiting.append
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            pieces.append(item)
            continue
        kind = type(item).__name__
        pieces.append(kind)
        push(_CLOSE)
        values = item.__dict__
        for name in _fields(kind):
            value = values.get(name)
            if isinstance(value, list):
                if name in _BODIES:
                    idle = _passes if documented else _idle
                    value = [part for part in value if not idle(part)]
                elif kind == "JoinedStr":
                    value = _joined(value)
                if value:
                    push(_CLOSE)
                    for part in reversed(value):
                        push(_part(part))
                    push(f"{name}[")
            elif isinstance(value, str):
                push(f"{name}{_END}str {len(value)} {value}")
            elif value is not None and not (kind == "FormattedValue" and _empty(value)):
                push(_part(value))
                push(name)
    return _END.join(pieces).encode("utf-8", "surrogatepass")


_CLOSE = "]"


def _part(value: object) -> ast.AST | str:
    """Return a node that has parts; of what has none, its spelling. Names and constants are half of it."""
    kind = type(value)
    if kind is ast.Name:
        name: str = value.id  # type: ignore[attr-defined]
        return f"Name{_END}id{_END}str {len(name)} {name}{_END}{_CLOSE}"
    if isinstance(value, ast.Constant):
        return _leaf(value.value)
    if isinstance(value, ast.AST):
        return value
    # The key of ``**x`` in a dict, which is not the constant None.
    return "nothing" if value is None else _leaf(value)


def _leaf(value: object) -> str:
    if isinstance(value, str):  # first, and alone: most are
        return f"str {len(value)} {value}"
    match value:
        case bytes():
            return f"bytes {value.hex()}"
        case bool():
            return f"bool {value}"
        case int():
            return f"int {value:x}"  # decimal digits have a limit
        case float():
            return f"float {value.hex()}"
        case complex():
            return f"complex {value.real.hex()} {value.imag.hex()}"
        case _:
            return f"constant {value}"


def _passes(statement: object) -> bool:
    return isinstance(statement, ast.Pass)


def _idle(statement: object) -> bool:
    """Tell whether a statement does nothing: a docstring, another constant alone, or ``pass``."""
    return _passes(statement) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


def _empty(value: object) -> bool:
    """Tell whether a format specification says nothing: some versions leave it out."""
    return isinstance(value, ast.JoinedStr) and not _joined(value.values)


def _joined(parts: Sequence[ast.expr]) -> list[ast.expr]:
    """Join what stands between the fields of an f-string, which versions cut differently."""
    joined: list[ast.expr] = []
    for part in parts:
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            if not part.value:
                continue
            last = joined[-1] if joined else None
            if isinstance(last, ast.Constant) and isinstance(last.value, str):
                joined[-1] = ast.Constant(last.value + part.value)
                continue
        joined.append(part)
    return joined


@dataclasses.dataclass(frozen=True)
class Scan:
    """One file: its imports as (level, module, imported name or None), and the digest of what counts."""

    imports: tuple[tuple[int, str, str | None], ...]
    sha256: str
    plugins: tuple[str, ...]
    """The texts in what is assigned to ``pytest_plugins``: modules that pytest imports."""


def scan(path: Path) -> Scan:
    """Read one file, once as long as it is the same.

    Raises
    ------
    BindingError
        It cannot be parsed.
    """
    status = path.stat()
    return _scan_file(path, (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))


@lru_cache(maxsize=4096)
def _scan_file(path: Path, _stamp: tuple[int, ...]) -> Scan:
    try:
        source = read_regular_file(path)
        tree = parse_python(source)
    except UNREADABLE as error:
        line = getattr(error, "lineno", 1) or 1
        raise BindingError(
            f"{path.name} cannot be parsed as Python: {getattr(error, 'msg', error)}",
            where=Location(str(path), line, 1),
            remedy="mend the file",
        ) from error
    imports: list[tuple[int, str, str | None]] = []
    plugins: list[str] = []
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            imports += [(0, alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            imports += [(node.level, node.module or "", alias.name) for alias in node.names]
        elif isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "pytest_plugins" for target in node.targets
        ):
            values = (value.value for value in ast.walk(node.value) if isinstance(value, ast.Constant))
            plugins += [value for value in values if isinstance(value, str)]
    digest = hashlib.sha256(_spelled(tree, documented=_documented(source))).hexdigest()
    return Scan(tuple(imports), digest, tuple(plugins))


def _statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield every statement at any depth; expressions, of which there are ten times as many, hold none."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        for field in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(node, field, None)
            if isinstance(inner, list):
                waiting += inner
                yield from inner


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
