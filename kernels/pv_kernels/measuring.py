"""One kernel on one shape, timed and graded; and what a user would pick instead, timed the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pv_kernels.bench import Bench
from pv_kernels.ceiling import Ceiling
from pv_kernels.nvml import Clocks
from pv_kernels.spec import Arguments, Results
from pv_kernels.specs.samples import used
from pv_kernels.speed import PeerName, Speed, SpeedCase, filling_of
from pv_kernels.timing import Filling, Timing, measure

__all__ = ["Measured", "agreement", "measure_case", "measure_peers"]


@dataclass(frozen=True)
class Measured:
    """What was measured of a kernel on one shape.

    `error_over_bound` is of the result that was timed: at most 1 where it is right.
    """

    case: str
    timing: Timing
    moved: int
    operations: int
    floor: float
    fraction_of_floor: float
    fraction_of_ceiling: float
    error_over_bound: float
    clocks: Clocks
    filling: Filling


def measure_case(
    bench: Bench,
    ceiling: Ceiling,
    speed: Speed,
    case: SpeedCase,
    arguments: Arguments,
    call: Callable[..., Any],
) -> Measured:
    """Time `call` on `arguments`, and compare what it computed while it was timed with the reference."""
    moved = speed.moved(case, arguments)
    filling = filling_of(moved, _together(call(**arguments)))
    seen: list[Clocks] = []

    def look() -> None:
        if bench.monitor is not None:
            seen.append(bench.monitor.clocks())

    timing, results = measure(bench.timer, lambda: call(**arguments), filling=filling, while_busy=look)
    return Measured(
        case.name,
        timing,
        moved,
        speed.spec.operations(arguments),
        ceiling.floor(moved),
        ceiling.fraction_of_floor(moved, timing.median),
        ceiling.fraction_of_ceiling(moved, timing.median),
        agreement(speed, case, arguments, _together(results)),
        seen[0] if seen else Clocks(),
        filling,
    )


def measure_peers(
    bench: Bench, speed: Speed, arguments: Arguments, names: Iterable[PeerName], filling: Filling
) -> dict[PeerName, Timing | str]:
    """Time those of `names` that this kernel has; why not, in a word, where one cannot be timed here.

    A peer is somebody else's code, so whatever it raises is only why it was not timed.
    """
    found: dict[PeerName, Timing | str] = {}
    for name in names:
        if name not in speed.peers:
            continue
        try:
            with torch.no_grad():
                found[name] = measure(bench.timer, speed.peers[name](arguments), filling=filling)[0]
        except ImportError:
            found[name] = "not installed"
        except Exception as error:
            # The message may name places of the host, which evidence does not.
            found[name] = type(error).__name__
    return found


def agreement(speed: Speed, case: SpeedCase, arguments: Arguments, results: Results) -> float:
    """Return the part of the allowed error that `results` use, at most, in the parts that are compared."""
    worst = 0.0
    for part, ours in case.parts(arguments, results):
        expected = speed.spec.expected(part)
        worst = max(worst, used(ours, expected, speed.spec.tolerance(part, expected)))
    return worst


def _together(results: Any) -> Results:
    return (results,) if isinstance(results, Tensor) else tuple(results)
