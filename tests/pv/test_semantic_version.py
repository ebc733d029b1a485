from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.meaning.change import Bump
from pv.semantic_version import raised, suffices


@pytest.mark.parametrize(
    ("before", "after", "bump"),
    [
        ("1.2.3", "1.2.3", Bump.NONE),
        ("1.2.3", "1.2.4", Bump.PATCH),
        ("1.2.3", "1.3.0", Bump.MINOR),
        ("1.2.3", "2.0.0", Bump.MAJOR),
        ("1.2", "1.2.0", Bump.NONE),
        ("v1.2.3", "1.3", Bump.MINOR),
        ("draft", "draft", Bump.NONE),
        ("1.2.3", "1.2.2", None),
        ("1.2.3", "draft", None),
        ("1.0.0-rc.1", "1.0.0", None),
    ],
)
def test_which_number_was_raised(before: str, after: str, bump: Bump | None) -> None:
    assert raised(before, after) is bump


def test_before_the_first_release_a_minor_version_stands_for_a_major_one() -> None:
    assert suffices("0.3.0", "0.4.0", Bump.MAJOR)
    assert not suffices("0.3.0", "0.3.1", Bump.MAJOR)
    assert not suffices("1.3.0", "1.4.0", Bump.MAJOR)


def test_a_version_that_was_lowered_suffices_for_nothing() -> None:
    assert not suffices("1.2.0", "1.1.0", Bump.NONE)
    assert suffices("1.2.0", "1.2.0", Bump.NONE)


NUMBERS = st.tuples(*[st.integers(0, 3)] * 3)


@given(NUMBERS, NUMBERS, st.sampled_from(Bump))
def test_what_suffices_for_more_suffices_for_less(
    before: tuple[int, ...], after: tuple[int, ...], wanted: Bump
) -> None:
    old, new = (".".join(map(str, version)) for version in (before, after))
    if suffices(old, new, wanted):
        assert all(suffices(old, new, less) for less in Bump if less <= wanted)
    assert (raised(old, new) is None) == (after < before)
