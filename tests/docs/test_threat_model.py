"""Each promise of the threat model names code that is there, and a test that holds it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
PROMISES = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for table in re.findall(r"^\| promise \| by \| held by \|\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    for line in table.splitlines()
]


def test_there_are_promises_against_each() -> None:
    assert PAGE.count("### Against ") == PAGE.count("| promise | by | held by |") >= 5
    assert len(PROMISES) > 15
    assert PAGE.count("Not promised") >= PAGE.count("### Against ")


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise[0][:50])
def test_a_promise_names_a_test_that_is_there(promise: list[str]) -> None:
    _, by, held = promise
    tests = re.findall(r"`(tests/[\w/.]+)`", held)
    assert tests
    for path in (*tests, *re.findall(r"`((?:pv|runtime)/[\w/.]+)`", by)):
        assert (ROOT / path).exists(), path


def test_whom_it_concerns_finds_it() -> None:
    assert "docs/threat-model.md" in (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "(SECURITY.md)" in readme
    assert "(docs/threat-model.md)" in readme
