"""Each shape of the page names tests that are there, and cases that they have."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "hostile-shapes.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for table in re.findall(r"^\| shape \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    for line in table.splitlines()
]


@functools.cache
def parsed(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def held_by(cell: str) -> list[tuple[str, str, str]]:
    """File, test and case of each; a case alone belongs to the test before it."""
    found: list[tuple[str, str, str]] = []
    for named in re.findall(r"`([^`]+)`", cell):
        path, test, case = re.fullmatch(r"(?:(tests/[\w/]+\.py)::(\w+))?(?:\[(.+)\])?", named).groups()  # type: ignore[union-attr]
        found.append((path or found[-1][0], test or found[-1][1], case or ""))
    return found


def test_the_tables_are_read() -> None:
    assert len(ROWS) == sum(line.startswith("| ") for line in PAGE.splitlines()) - 3 > 45
    assert all(len(row) == 3 for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_a_shape_names_tests_that_are_there(row: list[str]) -> None:
    named = held_by(row[2])
    assert named
    for path, test, case in named:
        module = parsed(path)
        assert any(isinstance(each, ast.FunctionDef) and each.name == test for each in module.body), test
        texts = {each.value for each in ast.walk(module) if isinstance(each, ast.Constant)}
        assert not case or case in texts, f"{path} has no case {case}"
