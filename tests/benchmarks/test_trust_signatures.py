"""That the benchmark of signatures verifies them, and measures both."""

from __future__ import annotations

from benchmarks.trust.signatures import measure


def test_both_are_measured() -> None:
    ours, theirs = measure(20, 1)
    assert ours > 0
    assert theirs > 0
