"""The page of reports is followed, and has every format, grade and key."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from pv.reports.destinations import FORMATS
from pv.reports.model import GRADES

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reports.md"


def test_the_page_can_be_followed(follow: Callable[[Path], int]) -> None:
    assert follow(PAGE) == 8


def rows(heading: str) -> set[str]:
    """Return the words in backquotes in the first column of the table under `heading`."""
    table = PAGE.read_text(encoding="utf-8").split(f"\n| {heading} |")[1].split("\n\n")[0]
    return {word for line in table.splitlines()[2:] for word in re.findall(r"`(\w+)`", line.split("|")[1])}


def test_every_format_grade_and_key_is_explained() -> None:
    schema = json.loads((ROOT / "pv/reports/report.schema.json").read_text(encoding="utf-8"))
    assert rows("format") == set(FORMATS)
    assert rows("grade") == set(GRADES)
    assert rows("key") == set(schema["properties"]) - {"format"}
    assert rows("key of a result") == set(schema["$defs"]["result"]["properties"])
