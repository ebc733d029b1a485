"""Whether a kernel is worth having: timed beside what torch.compile makes of the same formula."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from pv.check import Metric, Run, check, named
from pv_kernels.bench import Bench, open_bench
from pv_kernels.ceiling import measure_ceiling
from pv_kernels.checks.speed import ten_times_as_slow
from pv_kernels.measuring import measure_case, measure_peers
from pv_kernels.speed import Speed
from pv_kernels.timing import Timing

__all__ = ["beside_compiled"]

Calls = Mapping[str, Callable[..., Any]]


@check(
    metrics=[
        Metric("cases", unit="1", kind="count"),
        Metric("seconds", unit="s", low=0.0),
        Metric("correct", unit="1", kind="count"),
        Metric("ratio_to_compiled", unit="1", low=0.0),
        Metric("peer_not_timed", kind="text"),
        Metric("backend", kind="text"),
        Metric("gpu", kind="text"),
        Metric("driver", kind="text"),
        Metric("torch", kind="text"),
        Metric("triton", kind="text"),
    ]
)
def beside_compiled(run: Run, *, kernels: Sequence[str], size: str) -> None:
    """Time the first shape of `size` of each of `kernels`, and what torch.compile makes of its formula.

    `kernels` are `pv_kernels.speed.Speed`, each named as ``module:name``. `ratio_to_compiled` is the time of
    what was compiled over ours; the time of compiling is not counted.

    Raises
    ------
    NoGpuError
        There is no GPU.
    """
    speeds: list[Speed] = [named(kernel) for kernel in kernels]
    run.record("cases", len(speeds))
    calls: Calls = run.role("calls", {speed.spec.name: speed.spec.call for speed in speeds})
    bench: Bench = open_bench(run.device)
    ceiling = measure_ceiling(bench.timer, bench.ways)
    run.record("backend", bench.backend)
    if bench.hardware is not None:
        for name in ("gpu", "driver", "torch", "triton"):
            run.record(name, getattr(bench.hardware, name))
    generator = torch.Generator(device=run.device).manual_seed(run.seed)
    for speed in run.progress(speeds):
        case = speed.of_size(size)[0]
        label = f"{speed.spec.name} {case.name}"
        arguments = case.draw(generator)
        measured = measure_case(bench, ceiling, speed, case, arguments, calls[speed.spec.name])
        run.record("seconds", measured.timing.median, label=label)
        run.record("correct", int(measured.error_over_bound <= 1), label=label)
        for timing in measure_peers(bench, speed, arguments, ["compiled"], measured.filling).values():
            if isinstance(timing, Timing):
                run.record("ratio_to_compiled", timing.median / measured.timing.median, label=label)
            else:
                run.record("peer_not_timed", timing, label=label)


@beside_compiled.counter_example("one_kernel_ten_times_as_slow", of="calls")
def one_kernel_ten_times_as_slow(calls: Calls) -> Calls:
    """Do everything of the last kernel ten times."""
    last = list(calls)[-1]
    return {**calls, last: ten_times_as_slow(calls[last])}
