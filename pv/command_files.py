"""What the words of a command, and its environment, name of the project.

The script that is run counts by what it does, as all Python that is imported. Whatever else is named may be
read as text, in which a comment counts: of it, the bytes do. A folder stands for all of its files.
"""

from __future__ import annotations

import ast
import dataclasses
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pv.config import Config
from pv.errors import BindingError, Location
from pv.placeholders import PYTHONS

__all__ = ["NamedFiles", "modules_of_words", "named_in_environment", "named_in_words", "runs_python"]

_WITH_VALUE = frozenset({"-W", "-X", "--check-hash-based-pycs"})
"""The options of Python that take the next word: https://docs.python.org/3/using/cmdline.html."""


@dataclasses.dataclass(frozen=True)
class NamedFiles:
    """The Python scripts that are run, and the other files."""

    scripts: tuple[Path, ...] = ()
    others: tuple[Path, ...] = ()


def named_in_words(words: Sequence[str], config: Config, where: Location) -> NamedFiles:
    """Return the files that `words`, the program first, name: ``a``, ``--option=a`` or ``a::b``.

    Raises
    ------
    BindingError
        A word is a folder in which the evidence itself lies.
    """
    scripts: list[Path] = []
    others: list[Path] = []
    script = _script(words)
    for index, word in enumerate(words):
        if not index and "/" not in word:
            continue
        for path in _paths(word, config, where):
            run = index == script or (not index and runs_python(path))
            (scripts if run else others).append(path)
    return NamedFiles(tuple(scripts), tuple(others))


def named_in_environment(environment: Mapping[str, str], config: Config, where: Location) -> tuple[Path, ...]:
    """Return the files that the values of variables name, each of which may be a list like ``PATH``.

    Raises
    ------
    BindingError
        As :func:`named_in_words`.
    """
    pieces = [piece for value in environment.values() for piece in {value, *value.split(os.pathsep)}]
    return tuple(path for piece in pieces for path in _paths(piece, config, where))


def runs_python(path: Path) -> bool:
    """Tell whether a file is Python by its name, or by the interpreter that its first line names."""
    if path.suffix == ".py":
        return True
    with path.open("rb") as file:
        first = file.readline(200)
    return first.startswith(b"#!") and b"python" in first


def modules_of_words(words: Sequence[str]) -> Iterator[str]:
    """Yield the modules that ``python -m NAME`` runs, or that ``python -c CODE`` imports."""
    if not words or words[0] not in PYTHONS:
        return
    for word, following in itertools.pairwise(words):
        if word == "-m":
            yield following
            yield f"{following}.__main__"
            return
        if word == "-c":
            yield from _imported(following)
            return


def _imported(code: str) -> Iterator[str]:
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError):
        return  # it will say so itself
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _script(words: Sequence[str]) -> int | None:
    """Return which of the words Python is told to run; None where it is none of them."""
    if not words or words[0] not in PYTHONS:
        return None
    index = 1
    while index < len(words):
        if words[index] in {"-c", "-m"}:
            return None
        if not words[index].startswith("-"):
            return index
        index += 2 if words[index] in _WITH_VALUE else 1
    return None


def _paths(word: str, config: Config, where: Location) -> Iterator[Path]:
    root = config.root.resolve()
    for text in dict.fromkeys((word, word.partition("=")[2], word.partition("::")[0])):
        if not text or "{" in text:
            continue
        try:
            path = (root / text).resolve()
            if not path.is_relative_to(root) or not path.exists():
                continue
        except (OSError, ValueError):
            continue  # too long for a name, or with a NUL
        if path.is_file():
            yield path
        elif config.evidence.resolve().is_relative_to(path):
            raise BindingError(
                f"{text!r} is a folder in which the evidence lies, which would be an input of itself",
                where=where,
                remedy="name the folders below it that are read",
            )
        else:
            yield from _below(path)


def _below(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != "__pycache__" and not name.startswith("."))
        for name in sorted(files):
            path = Path(place, name)
            if path.is_file():
                yield path.resolve()
