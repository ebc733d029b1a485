from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from docs.status_page import PAGE, compared

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_says_what_the_evidence_says() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "docs.status_page", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_another_status_or_reason_is_seen_and_another_margin_is_not() -> None:
    text = PAGE.read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if "| DISCHARGED | yes | &#43;" in line)
    cells = row.split(" | ")
    cells[3] = "+1.23% of max(x) <= 1"
    other_margin = text.replace(row, " | ".join(cells))
    assert other_margin != text
    assert list(compared(other_margin)) == list(compared(text))
    for old, new in (("| DISCHARGED |", "| FUNCTIONAL |"), ("judged live", "judged on a stand-in")):
        assert list(compared(text.replace(row, row.replace(old, new)))) != list(compared(text))


def test_a_claim_over_days_may_be_judged_on_one_more() -> None:
    text = PAGE.read_text(encoding="utf-8")
    days = next(line for line in text.splitlines() if ", over day-" in line)
    later = text.replace(days, f"{days.removesuffix(' |')}, day-2099-01-01 |")
    assert later != text
    assert list(compared(later)) == list(compared(text))
    fewer = text.replace(days, days.replace(", over day-", ", 1 of 2 runs by day: day-"))
    assert list(compared(fewer)) != list(compared(text))
