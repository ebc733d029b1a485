from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pv.exits import Exit, worst

ENDS = st.lists(st.sampled_from(Exit))


def test_nothing_is_never_green() -> None:
    assert worst([]) is Exit.USAGE


@given(ENDS, ENDS)
def test_several_combine_in_any_order_and_grouping(one: list[Exit], two: list[Exit]) -> None:
    assert worst([*one, *two]) is worst([*two, *one])
    if one and two:
        assert worst([*one, *two]) is worst([worst(one), worst(two)])


@given(ENDS.filter(bool))
def test_accepted_only_if_all_are(ends: list[Exit]) -> None:
    assert (worst(ends) is Exit.ACCEPTED) == (set(ends) == {Exit.ACCEPTED})


def test_the_order() -> None:
    order = [Exit.INTERRUPTED, Exit.ERROR, Exit.USAGE, Exit.REJECTED, Exit.DECLINED, Exit.ACCEPTED]
    assert [worst(order[index:]) for index in range(len(order))] == order
    assert [int(end) for end in order] == [130, 4, 2, 1, 3, 0]
