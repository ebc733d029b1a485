"""How fast a kernel is on a GPU: graded against what that GPU, in the same run, takes to move the bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from pv.check import Metric, Run, check, named
from pv_kernels.bench import Bench, open_bench
from pv_kernels.ceiling import measure_ceiling
from pv_kernels.measuring import Measured, measure_case, measure_peers
from pv_kernels.speed import PeerName, Speed
from pv_kernels.timing import Timing

__all__ = ["kernel_speed"]

Call = Callable[..., Any]
_MOST = 1e9
"""What is recorded where infinitely much of the allowed error is used."""
UNTOLD = "not told"


@check(
    metrics=[
        Metric("cases", unit="1", kind="count"),
        Metric("seconds", unit="s", low=0.0),
        Metric("spread", unit="1", low=0.0),
        Metric("moved_bytes", unit="B", kind="count"),
        Metric("operations", unit="1", kind="count"),
        Metric("times_l2", unit="1", low=0.0),
        Metric("fraction_of_floor", unit="1", low=0.0),
        Metric("fraction_of_ceiling", unit="1", low=0.0),
        Metric("correct", unit="1", kind="count"),
        Metric("error_over_bound", unit="1", low=0.0),
        Metric("throttled", unit="1", kind="count"),
        Metric("ratio_to_torch", unit="1", low=0.0),
        Metric("ratio_to_compiled", unit="1", low=0.0),
        Metric("ratio_to_sdpa", unit="1", low=0.0),
        Metric("ratio_to_cublas", unit="1", low=0.0),
        Metric("ratio_to_liger", unit="1", low=0.0),
        Metric("peer_not_timed", kind="text"),
        Metric("launch_seconds", unit="s", low=0.0),
        Metric("copy_bandwidth", unit="B/s", low=0.0),
        Metric("highest_bandwidth", unit="B/s", low=0.0),
        Metric("sm_clock", unit="MHz", kind="count"),
        Metric("greatest_sm_clock", unit="MHz", kind="count"),
        Metric("memory_clock", unit="MHz", kind="count"),
        Metric("temperature", unit="Celsius", kind="count"),
        Metric("power", unit="W", low=0.0),
        Metric("throttle_reasons", kind="text"),
        Metric("backend", kind="text"),
        Metric("gpu", kind="text"),
        Metric("capability", kind="text"),
        Metric("driver", kind="text"),
        Metric("torch", kind="text"),
        Metric("triton", kind="text"),
        Metric("cuda", kind="text"),
    ]
)
def kernel_speed(run: Run, *, kernel: str, sizes: Sequence[str], peers: Sequence[PeerName]) -> None:
    """Time `kernel`, a `pv_kernels.speed.Speed` named as ``module:name``, on its shapes of `sizes`.

    - `fraction_of_floor`: ``(t_launch + bytes / b_copy) / t``, all three of this run.
    - `fraction_of_ceiling`: the same with the highest bandwidth that was seen; above 1 only by noise.
    - `times_l2`: the bytes over the L2 cache.
    - `correct`: whether the result that was timed is within the bound that its specification derives; on
      the first and the last rows, and some between.
    - `throttled`: whether the GPU was held back by heat or by its supply, asked under load.
    - `ratio_to_...`: the time of what a user would pick instead, over ours; `peers` are tried in this order.

    Raises
    ------
    NoGpuError
        There is no GPU.
    """
    speed: Speed = named(kernel)
    cases = [case for size in sizes for case in speed.of_size(size)]
    run.record("cases", len(cases))
    call: Call = run.role("call", speed.spec.call)
    bench: Bench = open_bench(run.device)
    ceiling = measure_ceiling(bench.timer, bench.ways)
    record_bench(run, bench)
    run.record("launch_seconds", ceiling.launch_seconds)
    run.record("copy_bandwidth", ceiling.copy_bandwidth)
    run.record("highest_bandwidth", ceiling.highest_bandwidth)
    generator = torch.Generator(device=run.device).manual_seed(run.seed)
    for case in run.progress(cases):
        arguments = case.draw(generator)
        measured = measure_case(bench, ceiling, speed, case, arguments, call)
        _record(run, measured, bench.timer.l2_bytes)
        for name, timing in measure_peers(bench, speed, arguments, peers, measured.filling).items():
            if isinstance(timing, Timing):
                ratio = timing.median / measured.timing.median
                run.record(f"ratio_to_{name}", ratio, label=case.name)
            else:
                run.record("peer_not_timed", f"{name}: {timing}", label=case.name)


def record_bench(run: Run, bench: Bench) -> None:
    """Record what the figures are bound to."""
    run.record("backend", bench.backend)
    if bench.hardware is not None:
        for name in ("gpu", "capability", "driver", "torch", "triton", "cuda"):
            run.record(name, getattr(bench.hardware, name))


def _record(run: Run, measured: Measured, l2_bytes: int) -> None:
    label = measured.case
    run.record("seconds", measured.timing.median, label=label)
    run.record("spread", measured.timing.spread, label=label)
    run.record("moved_bytes", measured.moved, label=label)
    run.record("operations", measured.operations, label=label)
    run.record("times_l2", measured.moved / l2_bytes, label=label)
    run.record("fraction_of_floor", measured.fraction_of_floor, label=label)
    run.record("fraction_of_ceiling", measured.fraction_of_ceiling, label=label)
    run.record("correct", int(measured.error_over_bound <= 1), label=label)
    run.record("error_over_bound", min(measured.error_over_bound, _MOST), label=label)
    clocks = measured.clocks
    run.record("throttled", int(clocks.slowed), label=label)
    told = {
        "sm_clock": clocks.sm_mhz,
        "greatest_sm_clock": clocks.greatest_sm_mhz,
        "memory_clock": clocks.memory_mhz,
        "temperature": clocks.celsius,
        "power": clocks.watts,
    }
    for name, value in told.items():
        if value is not None:
            run.record(name, value, label=label)
    reasons = UNTOLD if clocks.reasons is None else " ".join(clocks.reasons) or "none"
    run.record("throttle_reasons", reasons, label=label)


@kernel_speed.counter_example("twice_as_slow", of="call")
def twice_as_slow(call: Call) -> Call:
    """Do everything twice."""
    return _repeated(call, 2)


@kernel_speed.counter_example("ten_times_as_slow", of="call")
def ten_times_as_slow(call: Call) -> Call:
    """Do everything ten times: where a launch is most of the time, twice is hardly seen."""
    return _repeated(call, 10)


def _repeated(call: Call, times: int) -> Call:
    def repeated(**arguments: Any) -> Any:
        for _ in range(times - 1):
            call(**arguments)
        return call(**arguments)

    return repeated


@kernel_speed.counter_example("last_row_not_computed", of="call")
def last_row_not_computed(call: Call) -> Call:
    """Return quickly, with zeros in the last row of every result."""

    def cut(**arguments: Any) -> Any:
        results = call(**arguments)
        for result in (results,) if isinstance(results, Tensor) else results:
            # Of one row, or of no dimension, it is all.
            (result[-1:] if result.ndim else result).zero_()
        return results

    return cut
