from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.trend import sparkline, trend_of

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("values", "direction", "slope"),
    [
        ([], "level", 0.0),
        ([1.0], "level", 0.0),
        ([1.0] * 9, "level", 0.0),
        ([1.0, 2.0, 3.0, 4.0, 5.0], "level", 1.0),  # five in order: one chance in sixty
        ([float(count) for count in range(8)], "rising", 1.0),
        ([-0.5 * count for count in range(8)], "falling", -0.5),
        ([3.0, 1.0, 2.0, 1.5, 2.5, 1.2, 2.8, 2.0], "level", 0.0),
    ],
)
def test_a_trend_is_told_from_noise(values: list[float], direction: str, slope: float) -> None:
    trend = trend_of(values)
    assert trend.direction == direction
    assert trend.slope == pytest.approx(slope, abs=0.21)


def test_noise_has_a_trend_no_more_often_than_it_may() -> None:
    false = 0
    for seed in range(1000):
        chance = random.Random(seed)
        false += trend_of([chance.gauss(0, 1) for _ in range(12)]).direction != "level"
    assert false <= 10 + 4 * math.sqrt(10)


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=20))
def test_turned_round_it_goes_the_other_way(values: list[int]) -> None:
    there, back = trend_of([float(v) for v in values]), trend_of([float(v) for v in reversed(values)])
    assert there.p == pytest.approx(back.p)
    assert there.slope == -back.slope
    assert {there.direction, back.direction} in ({"level"}, {"rising", "falling"})


@given(st.lists(FINITE, max_size=12))
def test_any_finite_series_has_a_trend(values: list[float]) -> None:
    assert 0 <= trend_of(values).p <= 1


def test_a_sparkline_spans_the_bars() -> None:
    assert sparkline([float(count) for count in range(8)]) == "▁▂▃▄▅▆▇█"
    assert sparkline([1.0, None, 2.0]) == "▁·█"
    assert sparkline([5.0, 5.0]) == "▄▄"
    assert sparkline([None]) == "·"
    assert sparkline([]) == ""
    assert sparkline([math.nan, 1e308, -1e308]) == "·█▁"
    assert sparkline([float(count) for count in range(100)], width=3) == "▁▅█"


@given(st.lists(st.none() | st.floats(), max_size=60), st.integers(1, 50))
def test_a_sparkline_is_a_character_a_value(values: list[float | None], width: int) -> None:
    line = sparkline(values, width=width)
    assert len(line) == min(len(values), width)
    assert set(line) <= set("▁▂▃▄▅▆▇█·")
