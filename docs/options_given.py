"""In which tests an option is given: in a command line of a test, or of a page whose commands a test runs.

A command line is taken for one of a command where both are written out in one place: in the test file
that mirrors the command's module, in one function of another test file, or in one line of a page. Options
that a test makes up as it runs are not found, and of aliases one is enough.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

__all__ = ["ROOT", "given_in"]

ROOT = Path(__file__).resolve().parents[1]
_LINE = re.compile(r"^(?:\$|>) (.*)$", re.MULTILINE)


def given_in(command: str, names: tuple[str, ...]) -> str | None:
    """Return the first file that gives one of the option's `names` to `command`; None where none does.

    Mirrors of the command's module come first, then other tests, then pages, each by name.
    """
    for place, words in _places(command):
        if any(name in words for name in names):
            return place
    return None


@cache
def _places(command: str) -> tuple[tuple[str, frozenset[str]], ...]:
    """Return file after file with the words that stand beside `command` in it."""
    program, *below = command.split()
    tests = ROOT / "tests" / ("runtime" if program == "apr" else "pv")
    mirror = tests / "commands" / f"test_{below[0]}.py" if below else tests / "test_cli.py"
    found = [(mirror, _all_words(mirror))] if mirror.is_file() else []
    for file in sorted((ROOT / "tests").rglob("test_*.py")) if below else ():
        if "resources" not in file.parts and file != mirror:
            beside = frozenset().union(*(words for words in _by_function(file) if {*below} <= words))
            found.append((file, beside))
    found += [(page, _typed(page, command)) for page in sorted((ROOT / "docs/how-to").glob("*.md"))]
    return tuple((file.relative_to(ROOT).as_posix(), words) for file, words in found if words)


@cache
def _by_function(file: Path) -> tuple[frozenset[str], ...]:
    """Return the words of each function of a file, decorators and all."""
    tree = ast.parse(file.read_bytes())
    return tuple(frozenset(_words(node)) for node in tree.body if isinstance(node, ast.FunctionDef))


@cache
def _all_words(file: Path) -> frozenset[str]:
    return frozenset(_words(ast.parse(file.read_bytes())))


def _words(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value.partition("=")[0] if node.value.startswith("-") else node.value


@cache
def _typed(page: Path, command: str) -> frozenset[str]:
    """Return the words of the lines of a page that begin with `command`; lines may go on."""
    text = page.read_text(encoding="utf-8").replace("\\\n> ", "")
    lines = [line for line in _LINE.findall(text) if f"{line} ".startswith(f"{command} ")]
    return frozenset(word.partition("=")[0] for line in lines for word in line.split())
