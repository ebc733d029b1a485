from __future__ import annotations

from pv.meaning.rule_lines import line_changes, relation


def test_lines_are_paired_with_what_took_their_place() -> None:
    before = ["min(a) >= 0.9", "count(a) == n", "max(b) < 1", "sum(c) == 0"]
    after = ["sum(c) == 1", "max(b) <= 0.5", "count(a) == n", "min(a) >= 0.8", "mean(d) < 1"]
    found = {(line.before, line.after): line.relation for line in line_changes(before, after)}
    assert found == {
        ("min(a) >= 0.9", "min(a) >= 0.8"): "weaker",
        ("max(b) < 1", "max(b) <= 0.5"): "stronger",
        ("sum(c) == 0", "sum(c) == 1"): "incomparable",
        (None, "mean(d) < 1"): "stronger",
    }
    assert relation(before, after) == "incomparable"


def test_a_line_that_says_nothing_new_leaves_the_rule_as_it_was() -> None:
    (line,) = line_changes(["min(a) >= 0.9"], ["min(a) >= 0.9", "min(a) >= 0.5"])
    assert line.relation == "equal"
    assert relation(["min(a) >= 0.9"], ["min(a) >= 0.9", "min(a) >= 0.5"]) == "equal"


def test_what_is_no_expression_is_equal_to_itself_alone() -> None:
    assert relation(["as good as  ever"], ["as good as ever"]) == "equal"
    assert relation(["as good as ever"], ["nearly as good"]) == "incomparable"
    assert line_changes(["as good as ever"], ["min(a) > 1"])[0].relation == "weaker"
