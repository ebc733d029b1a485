"""What is made of samples of a clock, on a clock that is simulated."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pv_kernels.simulated_gpu import SimulatedGpu, SimulatedTimer
from pv_kernels.timing import REPEATS, Timing, measure

TIMES = st.lists(st.floats(1e-7, 1.0), min_size=1, max_size=80)


@given(TIMES)
def test_half_of_the_samples_are_on_either_side_of_the_median(samples: list[float]) -> None:
    timing = Timing(tuple(samples))
    assert 2 * sum(sample <= timing.median for sample in samples) >= len(samples)
    assert 2 * sum(sample >= timing.median for sample in samples) >= len(samples)
    assert 0 <= timing.spread <= (max(samples) - min(samples)) / timing.median


@given(TIMES, st.floats(0.01, 100))
def test_another_unit_changes_the_median_and_not_the_spread(samples: list[float], unit: float) -> None:
    one, other = Timing(tuple(samples)), Timing(tuple(sample * unit for sample in samples))
    assert other.median == pytest.approx(one.median * unit)
    assert other.spread == pytest.approx(one.spread)


@pytest.mark.parametrize("samples", [(), (1.0, 0.0), (1.0, float("nan")), (float("inf"),), (-1.0,)])
def test_what_no_clock_says_is_refused(samples: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="no times"):
        Timing(samples)


def test_late_samples_do_not_move_the_median() -> None:
    gpu = SimulatedGpu()
    looked = []

    def launch() -> str:
        gpu.launch({"x": 3_000_000})
        return "result"

    timing, results = measure(
        SimulatedTimer(gpu),
        launch,
        while_busy=lambda: looked.append(gpu.now),
    )
    assert len(timing.samples) == REPEATS >= 50
    assert timing.median == pytest.approx(gpu.launch_seconds + 3_000_000 / gpu.bandwidth, rel=1e-6)
    assert max(timing.samples) > 1.5 * timing.median
    assert (results, len(looked)) == ("result", 1)
