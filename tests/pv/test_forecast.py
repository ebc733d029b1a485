from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.forecast import Forecast, longest_first, recorded_seconds

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"


def test_where_nothing_is_known_nothing_is_said() -> None:
    forecast = Forecast(["a", "b"], {})
    forecast.began("a", 0.0)
    assert forecast.left(5.0) is None


def test_the_last_time_tells_before_anything_has_ended() -> None:
    forecast = Forecast(["a", "b", "c"], {"a": 10.0, "b": 20.0})
    assert forecast.left(0.0) == pytest.approx(45)  # c counts as they do on average
    forecast.began("a", 0.0)
    forecast.began("b", 0.0)
    assert forecast.left(4.0) == pytest.approx((6 + 16 + 15) / 2)


def test_a_host_that_takes_twice_as_long_is_noticed() -> None:
    known = {str(number): 10.0 for number in range(10)}
    forecast = Forecast(known, known)
    now = 0.0
    for number in range(8):
        forecast.began(str(number), now)
        now += 20.0
        forecast.ended(str(number), now)
    assert forecast.left(now) == pytest.approx(40, rel=0.03)


def test_what_runs_is_not_over_before_the_longest_of_it() -> None:
    forecast = Forecast(["long", *"abcdefg"], {"long": 100.0} | dict.fromkeys("abcdefg", 1.0))
    for address in ["long", *"abcdefg"]:
        forecast.began(address, 0.0)
    assert forecast.left(0.0) == pytest.approx(100)


def test_what_is_run_again_is_still_to_do() -> None:
    forecast = Forecast(["a", "b"], {"a": 10.0, "b": 10.0})
    forecast.began("a", 0.0)
    forecast.ended("a", 10.0, again=True)
    assert forecast.left(10.0) == pytest.approx(20)


@given(
    st.dictionaries(st.text(max_size=3), st.floats(0, 1e6), min_size=1, max_size=8),
    st.lists(st.floats(0, 1e6), min_size=8, max_size=8),
    st.integers(1, 4),
)
def test_it_is_never_negative_and_nothing_when_all_have_ended(
    known: dict[str, float], taken: list[float], jobs: int
) -> None:
    addresses = list(known)
    forecast = Forecast(addresses, known)
    now = 0.0
    for start in range(0, len(addresses), jobs):
        some = addresses[start : start + jobs]
        for address in some:
            forecast.began(address, now)
            assert (forecast.left(now) or 0) >= 0
        now += max(taken[start : start + jobs])
        for address in some:
            forecast.ended(address, now)
            assert (forecast.left(now) or 0) >= 0
    assert forecast.left(now) == 0


def test_the_records_of_a_falsifier_say_what_it_took_with_its_counter_examples(copied: Project) -> None:
    config = copied.config()
    told = [json.loads(copied.record(level).read_bytes())["predicate"] for level in ("algorithm", "live")]
    low, live = (predicate["run"]["seconds"] for predicate in told)
    known = recorded_seconds([f"small-v1#{ID}", "small-v1#NEVER-RUN"], config.evidence)
    assert known == {f"small-v1#{ID}": pytest.approx(low * 3 + live)}
    copied.record().write_text("[]", encoding="utf-8")
    assert recorded_seconds([f"small-v1#{ID}"], config.evidence) == {}
    assert recorded_seconds([str(number) for number in range(3000)], config.evidence) == {}


@given(st.dictionaries(st.text("abc", max_size=3), st.none() | st.floats(0, 1e6)))
def test_the_longest_begin_first_and_nobody_is_lost(taken: dict[str, float | None]) -> None:
    known = {address: seconds for address, seconds in taken.items() if seconds is not None}
    order = longest_first([*taken], known)
    assert sorted(order) == sorted(taken)
    seconds = [known[address] for address in order if address in known]
    assert seconds == sorted(seconds, reverse=True)
    assert longest_first(order, known) == order


def test_what_was_never_run_begins_among_those_of_middling_length() -> None:
    assert longest_first(["new", "short", "long"], {"short": 1.0, "long": 9.0}) == ["long", "new", "short"]
    assert longest_first(["b", "a"], {}) == ["b", "a"]
