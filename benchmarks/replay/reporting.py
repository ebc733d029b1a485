"""Defects of reports: some of what was to be looked at was, and the report reads as if all had been."""

from __future__ import annotations

from benchmarks.replay.defect import Defect
from benchmarks.replay.planting import in_check

__all__ = ["REPORTING"]

REPORTING: dict[int, Defect] = {
    15: in_check(
        "skipped gates counted as passed",
        "A release passed with six of twelve gates skipped, four of them among the eight that are required.",
        "FALSIFY-QA-SHIP-006-LOGIC",
        "declined_counts_as_passed",
    ),
    16: in_check(
        "the top ten passed off as the whole",
        "A comparison was of the first ten tensors by the alphabet, if not told otherwise, and kept silent.",
        "FALSIFY-HANDLING-001",
        "the_first_ten",
    ),
    17: in_check(
        "one-sided tensors ignored",
        "Tensors that only one of two files has were left out of the comparison and of the report.",
        "FALSIFY-HANDLING-001",
        "one_side_ignored",
    ),
}
