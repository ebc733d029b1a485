from __future__ import annotations

import time

import pytest

from pv.recorded import Recorded, Samples


def two_above_one(samples: Samples) -> bool:
    return sum(value > 1 for value, _ in samples.get("error", ()) if isinstance(value, float)) >= 2


def filled(*, planted: bool = True) -> Recorded:
    recorded = Recorded(two_above_one)
    recorded.planted = planted
    for value in (0.0, 2.0, 0.5, 3.0, 4.0, 0.0):
        recorded.add("error", value, f"item {value}")
        recorded.add("count", 1, None)
    return recorded


@pytest.fixture(autouse=True)
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let more than the time pass in which nothing is asked."""
    clock = time.monotonic
    started = clock()
    monkeypatch.setattr(time, "monotonic", lambda: started + 1000 * (clock() - started))


def test_no_more_is_kept_than_was_enough() -> None:
    recorded = filled()
    time.sleep(0.012)
    assert recorded.is_enough()
    assert recorded.samples() == {
        "error": ((0.0, "item 0.0"), (2.0, "item 2.0"), (0.5, "item 0.5"), (3.0, "item 3.0")),
        "count": ((1, None),) * 3,
    }


def test_a_run_without_its_damage_is_never_cut_short() -> None:
    recorded = filled(planted=False)
    time.sleep(0.012)
    assert not recorded.is_enough()
    assert len(recorded.samples()["error"]) == 6
