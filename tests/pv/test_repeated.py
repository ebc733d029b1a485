from __future__ import annotations

from pv.expression import Series
from pv.repeated import repeated

TWICE = Series((0.1, 0.2, 0.1), ("a", "b", "a"))


def test_a_label_that_stands_twice_is_told_where_samples_are_counted() -> None:
    (told,) = repeated(["max(error) <= 1", "count( error ) == 3"], {"error": TWICE, "other": TWICE})
    assert told == "error is counted, and 1 of its 2 labels stand more than once: a"


def test_nothing_is_told_of_what_is_not_counted_or_stands_once() -> None:
    assert not [*repeated(["max(error) <= 1"], {"error": TWICE})]
    once = Series((0.1, 0.2), ("a", "b"))
    assert not [*repeated(["count(error) == 2"], {"error": once})]
    assert not [*repeated(["count(error) == 2"], {"error": Series((0.1, 0.1))})]
    assert not [*repeated(["count(error) == 2"], {"error": Series((0.1, 0.1), (None, None))})]
