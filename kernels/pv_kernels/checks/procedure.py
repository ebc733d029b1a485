"""Whether times are measured rightly: on a simulated GPU whose times are known; of copies on a real one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from pv.check import Metric, Run, check
from pv_kernels.bench import Bench, open_bench, open_simulated
from pv_kernels.ceiling import Ways, measure_ceiling
from pv_kernels.cuda_ways import copy
from pv_kernels.simulated_gpu import SimulatedGpu, SimulatedTimer
from pv_kernels.timing import Timer, measure

__all__ = ["procedure"]

_EFFICIENCIES = (0.5, 0.8, 0.95)
"""Parts of the bandwidth that simulated kernels reach."""


@check(
    metrics=[
        Metric("measured", unit="1", kind="count"),
        Metric("known_fraction", unit="1", low=0.0),
        Metric("fraction_of_floor", unit="1", low=0.0),
        Metric("fraction_of_ceiling", unit="1", low=0.0),
        Metric("backend", kind="text"),
        Metric("gpu", kind="text"),
        Metric("driver", kind="text"),
        Metric("torch", kind="text"),
        Metric("triton", kind="text"),
    ]
)
def procedure(run: Run, *, mebibytes: Sequence[int]) -> None:
    """Grade kernels that move so many MiB against the bounds that are measured beside them.

    - `known_fraction`: on a simulated GPU, the grade that the kernel was made to have. On a real one
      nothing of the kind is known, and what is graded is a copy by a kernel of ours.
    - `fraction_of_floor`, `fraction_of_ceiling`: what the procedure finds; see `pv_kernels.ceiling`.
    """
    simulated = not run.device.startswith("cuda")
    gpu = SimulatedGpu()
    bench: Bench = open_simulated(gpu) if simulated else open_bench(run.device)
    timer: Timer = run.role("timer", bench.timer)
    ways: Ways = run.role("ways", bench.ways)
    ceiling = measure_ceiling(timer, ways)
    run.record("backend", bench.backend)
    if bench.hardware is not None:
        for name in ("gpu", "driver", "torch", "triton"):
            run.record(name, getattr(bench.hardware, name))
    efficiencies = _EFFICIENCIES if simulated else (1.0,)
    run.record("measured", len(mebibytes) * len(efficiencies))
    for size in run.progress(mebibytes):
        moved = size << 20
        for efficiency in efficiencies:
            label = f"{size} MiB" + (f" at {efficiency}" if simulated else "")
            call = _simulated(gpu, moved, efficiency) if simulated else _copying(run.device, moved)
            seconds = measure(timer, call)[0].median
            run.record("fraction_of_floor", ceiling.fraction_of_floor(moved, seconds), label=label)
            run.record("fraction_of_ceiling", ceiling.fraction_of_ceiling(moved, seconds), label=label)
            if simulated:
                run.record("known_fraction", _known(gpu, moved, efficiency), label=label)


def _simulated(gpu: SimulatedGpu, moved: int, efficiency: float) -> Callable[[], Any]:
    halves = {"read": moved // 2, "written": moved // 2}
    return lambda: gpu.launch(halves, efficiency)


def _known(gpu: SimulatedGpu, moved: int, efficiency: float) -> float:
    """Return the grade of a simulated kernel, from what the GPU is made of."""
    whole = moved / gpu.bandwidth
    return (gpu.launch_seconds + whole) / (gpu.launch_seconds + whole / efficiency)


def _copying(device: str, moved: int) -> Callable[[], Any]:
    source = torch.zeros(moved // 8, dtype=torch.float32, device=device)
    target = torch.empty_like(source)
    return lambda: copy(source, target)


@procedure.counter_example("cache_not_filled", of="timer")
def cache_not_filled(timer: Timer) -> Timer:
    """Leave in the cache what the kernel put there the last time: it is quicker than memory."""
    if isinstance(timer, SimulatedTimer):
        return SimulatedTimer(timer.gpu, fills=False)
    timer.fill = lambda _filling: None  # type: ignore[attr-defined]
    return timer


@procedure.counter_example("not_waited_for", of="timer")
def not_waited_for(timer: Timer) -> Timer:
    """Stop the clock when everything is queued, and nothing done."""
    if isinstance(timer, SimulatedTimer):
        return SimulatedTimer(timer.gpu, waits=False)
    return _Impatient(timer)


class _Impatient:
    """A clock of the host around what is queued."""

    def __init__(self, timer: Timer) -> None:
        self.l2_bytes = timer.l2_bytes
        self.prepare = timer.prepare

    def seconds(self, prepared: Any, repeats: int, *_others: Any, **_named: Any) -> list[float]:
        import time

        samples = []
        for _ in range(repeats):
            begun = time.perf_counter()
            prepared.replay()
            samples.append(time.perf_counter() - begun)
            torch.cuda.synchronize()
        return samples


class _Changed:
    """Ways, some of them replaced."""

    def __init__(self, ways: Ways, **changes: Any) -> None:
        self.empty = changes.get("empty", ways.empty)
        self.copies: Mapping[str, Callable[[], object]] = changes.get("copies", ways.copies)
        self.reads: Mapping[str, Callable[[], object]] = changes.get("reads", ways.reads)


@procedure.counter_example("copy_done_twice", of="ways")
def copy_done_twice(ways: Ways) -> Ways:
    """Let the copy take twice as long as it needs to: everything is near a floor that is too high."""

    def twice(way: Callable[[], object]) -> Callable[[], object]:
        return lambda: (way(), way())

    return _Changed(ways, copies={name: twice(way) for name, way in ways.copies.items()})


@procedure.counter_example("launches_cost_a_copy", of="ways")
def launches_cost_a_copy(ways: Ways) -> Ways:
    """Take ten launches for one: small kernels look as if they could not be quicker."""
    return _Changed(ways, empty=lambda: [ways.empty() for _ in range(10)])
