from __future__ import annotations

from pv.record_differences import RecordDifferences
from pv.reports.record_differences import difference_lines
from pv.series_differences import SeriesDifference


def test_sections_come_first_then_what_became_of_the_measurements() -> None:
    found = RecordDifferences(
        sections={"host": ("cpu A → B",), "check": tuple(f"file{n}.py changed" for n in range(14))},
        series=(
            SeriesDifference("cosine", "within", 3, 1, 0, 0, 1e-7, "a", 0.25),
            SeriesDifference("differing", "beyond", 3, 1, 1, 2, 1.0, None, 0.0),
            SeriesDifference("seconds", "unjudged", 1, 1, 0, 0, 0.5),
            SeriesDifference("expected", "equal", 1, 0, 0, 0),
        ),
        verdict=("Pass", "Fail"),
        turned=("one_half",),
    )
    lines = [*difference_lines(found)]
    differ = "1 of 3 sample(s) differ, by 1 at most, 1 in the first only, 2 in the second only"
    assert lines[:2] == ["  host        cpu A → B", "  check       file0.py changed"]
    assert lines[13] == "              ... and 2 more"
    assert lines[14:] == [
        "  within      cosine: 1 of 3 sample(s) differ, by 1e-07 at most at a, the verdict's margin is 0.25",
        f"  DIFFERS     differing: {differ}, the rule asks for equality",
        "  not judged  seconds: 1 of 1 sample(s) differ, by 0.5 at most",
        "  agrees      expected: 1 sample(s), every one equal",
        "  DIFFERS     counter-example one_half is caught in one of them only",
        "  DIFFERS     verdict: Pass → Fail",
    ]
    assert not found.agree


def test_two_that_are_the_same_say_so() -> None:
    (same, verdict) = difference_lines(RecordDifferences({}, (), ("Fail", "Fail"), ()))
    assert same.startswith("  the same ")
    assert verdict == "  agrees      verdict: Fail"
