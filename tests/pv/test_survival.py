from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.survival import draw, draws_of, survival

ROOT = "0a244aabf16295ecc53cfa2a564537cab366f3bd72e64845f8b724040c89fc6e"


def test_one_percent_of_339_is_four() -> None:
    assert draws_of(0.01, 339) == 4
    assert [draws_of(0.01, n) for n in (1, 2, 100, 101)] == [1, 1, 1, 2]
    assert draws_of(1, 339) == 339


def test_survival_is_the_part_of_all_draws_that_miss_the_lie() -> None:
    assert survival(4, 1, 1) == 3 / 4
    assert survival(4, 2, 2) == 1 / 6  # of six pairs, one has neither
    assert survival(339, 0, 4) == 1
    assert survival(339, 339, 1) == 0
    assert survival(339, 4, 4) == pytest.approx(335 * 334 * 333 * 332 / (339 * 338 * 337 * 336))


@pytest.mark.parametrize("numbers", [(3, 4, 1), (3, 1, 4), (3, -1, 1)])
def test_more_than_there_are_cannot_be_drawn(numbers: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        survival(*numbers)


@given(st.integers(1, 60), st.data())
def test_more_draws_and_larger_lies_survive_no_better(leaves: int, data: st.DataObject) -> None:
    false = data.draw(st.integers(0, leaves))
    draws = data.draw(st.integers(0, leaves))
    here = survival(leaves, false, draws)
    assert 0 <= here <= 1
    assert survival(leaves, draws, false) == pytest.approx(here)
    if draws < leaves:
        assert survival(leaves, false, draws + 1) <= here
    if false < leaves:
        assert survival(leaves, false + 1, draws) <= here


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=50, unique=True), st.text(), st.data())
def test_a_draw_is_of_the_places_and_the_same_in_any_order(
    places: list[int], challenge: str, data: st.DataObject
) -> None:
    draws = data.draw(st.integers(1, len(places)))
    drawn = draw(ROOT, challenge, places, draws)
    assert len(set(drawn)) == draws
    assert set(drawn) <= set(places)
    assert draw(ROOT, challenge, random.Random(0).sample(places, len(places)), draws) == drawn
    assert set(drawn) <= set(draw(ROOT, challenge, places, min(draws + 1, len(places))))


def test_a_lie_survives_as_often_as_stated() -> None:
    trials, false = 800, {0, 100, 200, 338}
    survived = sum(false.isdisjoint(draw(ROOT, f"{n}", range(339), 12)) for n in range(trials))
    stated = survival(339, len(false), 12)
    assert abs(survived / trials - stated) < 4 * (stated * (1 - stated) / trials) ** 0.5
    assert {place for n in range(200) for place in draw(ROOT, f"{n}", range(339), 12)} == {*range(339)}


def test_another_root_or_challenge_draws_others() -> None:
    drawn = {tuple(draw(root, word, range(339), 4)) for root in (ROOT, ROOT[::-1]) for word in ("a", "b", "")}
    assert len(drawn) == 6
