"""The page of the JSON of `apr inspect`; its tables are held by tests/runtime/commands/test_inspect.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "apr-json.md"


def test_the_page_can_be_followed(follow: Callable[[Path], int]) -> None:
    assert follow(PAGE) == 2
