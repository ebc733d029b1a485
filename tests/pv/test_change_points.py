from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pv.change_points import LEVEL, _best, change_points

EIGHTHS = st.integers(-80, 80).map(lambda count: count / 8)


def noise(seed: int, count: int, *, mean: float = 0.0) -> list[float]:
    chance = random.Random(seed)
    return [chance.gauss(mean, 1.0) for _ in range(count)]


def energy(left: list[float], right: list[float]) -> float:
    """The definition, word for word: Matteson and James (2014), equations 5 and 6, with an exponent of 1."""
    n, m = len(left), len(right)
    across = sum(abs(x - y) for x in left for y in right)
    within_left = sum(abs(left[i] - left[k]) for i in range(n) for k in range(i + 1, n))
    within_right = sum(abs(right[j] - right[k]) for j in range(m) for k in range(j + 1, m))
    distance = 2 / (n * m) * across - within_left / math.comb(n, 2) - within_right / math.comb(m, 2)
    return n * m / (n + m) * distance


@given(st.lists(EIGHTHS, min_size=4, max_size=20))
def test_the_cut_is_that_of_the_definition(values: list[float]) -> None:
    distances = [[abs(one - other) for other in values] for one in values]
    place, largest = _best(distances, [math.fsum(row) for row in distances], list(range(len(values))))
    expected = {cut: energy(values[:cut], values[cut:]) for cut in range(2, len(values) - 1)}
    assert largest == pytest.approx(max(expected.values()), abs=1e-9)
    assert expected[place] == pytest.approx(largest, abs=1e-9)


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 60))
def test_a_constant_series_has_none(value: float, count: int) -> None:
    assert change_points([value] * count) == []


def test_noise_is_said_to_change_no_more_often_than_it_may_be() -> None:
    # Each count is binomial; four standard deviations above the level.
    for count, rounds in ((12, 300), (30, 120)):
        false = sum(bool(change_points(noise(seed, count))) for seed in range(rounds))
        assert false <= rounds * LEVEL + 4 * math.sqrt(rounds * LEVEL), count


def test_noise_that_is_not_normal_is_noise_as_well() -> None:
    false = 0
    for seed in range(150):
        chance = random.Random(seed)
        # Timings: a floor, a long tail, and now and then something ten times as long.
        values = [1 + chance.expovariate(1) + 10 * (chance.random() < 0.05) for _ in range(25)]
        false += bool(change_points(values))
    assert false <= 150 * LEVEL + 4 * math.sqrt(150 * LEVEL)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_step_of_five_sigma_is_found_where_it_is(sign: int) -> None:
    for seed in range(5):
        values = [sign * value for value in noise(seed, 20) + noise(1000 + seed, 20, mean=5.0)]
        found = change_points(values)
        nearest = min(found, key=lambda change: abs(change.index - 20))
        assert abs(nearest.index - 20) <= 1
        assert nearest.p <= LEVEL
        assert sign * nearest.before < 1.5
        assert sign * nearest.after > 3.5


def test_a_step_in_a_short_series_is_found() -> None:
    (change,) = change_points([1.0, 1.1, 0.9, 1.0, 1.05, 2.0, 2.1, 1.9, 2.0, 2.05])
    assert change.index == 5
    assert change.before == pytest.approx(1.01)
    assert change.after == pytest.approx(2.01)
    assert change_points([1.0, 1.1, 0.9, 2.0, 2.1, 1.9]) == []  # noise does that in one of ten shuffles


def test_there_and_back_are_two_changes() -> None:
    values = noise(1, 15) + noise(2, 15, mean=8.0) + noise(3, 15)
    first, second = change_points(values)
    assert abs(first.index - 15) <= 1
    assert abs(second.index - 30) <= 1


def test_one_outlier_is_no_change() -> None:
    for place in (0, 7, 14, 15):
        values = noise(4, 16)
        values[place] = 50.0
        assert change_points(values) == []


@settings(max_examples=40, deadline=None)
@given(
    before=st.lists(st.integers(0, 4), min_size=3, max_size=12),
    after=st.lists(st.integers(0, 12), min_size=3, max_size=12),
    scale=st.sampled_from([2.0**-40, 0.25, 3.0, 1024.0]),
    shift=st.integers(-1000, 1000),
)
def test_another_unit_and_another_zero_find_the_same(
    before: list[int], after: list[int], scale: float, shift: int
) -> None:
    values = [float(value) for value in before + after]
    found = change_points(values)
    moved = change_points([scale * (value + shift) for value in values])
    assert [(change.index, change.p) for change in moved] == [(change.index, change.p) for change in found]
    for one, other in zip(moved, found, strict=True):
        assert one.before == pytest.approx(scale * (other.before + shift), rel=1e-9, abs=1e-9)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=14))
def test_any_finite_series_has_an_answer(values: list[float]) -> None:
    found = change_points(values)
    assert [change.index for change in found] == sorted({change.index for change in found})
    assert all(2 <= change.index <= len(values) - 2 for change in found)
    assert all(LEVEL >= change.p > 0 for change in found)


def test_the_same_values_have_the_same_answer_and_another_seed_other_shuffles() -> None:
    values = noise(5, 12) + noise(6, 12, mean=2.0)
    assert change_points(values) == change_points(values)
    assert [change.index for change in change_points(values, seed=1)] == [
        change.index for change in change_points(values)
    ]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        change_points([1.0, value])


@pytest.mark.parametrize("level", [0.0, 0.0001, 1.0])
def test_a_level_that_permutations_cannot_tell_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="is not between"):
        change_points([1.0], level=level)
