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
    head = "| FALSIFY-SHIP-023 |"
    row = next(line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(head))
    first = (
        f"{head} PARTIAL_ALGORITHM_LEVEL |  |  |  | 1 of 2 runs by day; discharge it again on another day |"
    )
    third = f"{head} FUNCTIONAL |  | +1.23% |  | judged live, over day-2099-01-01, day-2099-01-02 |"
    assert list(compared(first)) == list(compared(third)) == list(compared(row))
    assert list(compared(first)) != list(compared(first.replace("023", "024")))
    failed = f"{head} FALSIFIED |  | +1.23% |  | fails at functional level over day-2099-01-01: x |"
    assert list(compared(failed)) != list(compared(first))
