"""The bounds of a GPU, and grades by them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pv_kernels.ceiling import Ceiling, measure_ceiling
from pv_kernels.simulated_gpu import SimulatedGpu, SimulatedTimer, SimulatedWays

GPU = st.builds(
    SimulatedGpu,
    launch_seconds=st.floats(1e-6, 1e-5),
    bandwidth=st.floats(1e11, 1e13),
    l2_bytes=st.integers(1 << 20, 200 << 20),
)


@given(GPU)
def test_what_a_gpu_is_made_of_is_found(gpu: SimulatedGpu) -> None:
    found = measure_ceiling(SimulatedTimer(gpu), SimulatedWays(gpu))
    assert found.launch_seconds == pytest.approx(gpu.launch_seconds, rel=1e-6)
    assert found.copy_bandwidth == pytest.approx(gpu.bandwidth, rel=1e-6)
    assert found.highest_bandwidth == pytest.approx(1.05 * gpu.bandwidth, rel=1e-6)


@given(st.integers(0, 1 << 40), st.floats(1e-6, 1.0))
def test_grades_are_the_floor_over_the_time(moved: int, seconds: float) -> None:
    ceiling = Ceiling(4e-6, 2e12, 3e12)
    assert ceiling.floor(moved) == 4e-6 + moved / 2e12
    assert ceiling.fraction_of_floor(moved, ceiling.floor(moved)) == 1
    assert ceiling.fraction_of_ceiling(moved, seconds) <= ceiling.fraction_of_floor(moved, seconds)
    assert ceiling.fraction_of_floor(moved, 2 * seconds) == ceiling.fraction_of_floor(moved, seconds) / 2


@pytest.mark.parametrize("size", [20 << 20, 60 << 20])
def test_what_was_moved_last_is_quicker_only_where_it_fits_the_cache(size: int) -> None:
    gpu = SimulatedGpu(l2_bytes=50 << 20)
    times = []
    for _ in range(2):
        begun = gpu.now
        gpu.launch({"x": size})
        gpu.wait()
        times.append(gpu.now - begun)
    assert (times[1] < times[0] - 1e-9) is (size <= gpu.l2_bytes)
    assert sum(gpu.cached.values()) <= gpu.l2_bytes
