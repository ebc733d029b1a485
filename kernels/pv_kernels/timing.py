"""How long something takes on a GPU: cold, out of a graph, many times.

What is timed is captured in a CUDA graph, so that the time of Python is not in it; so is the empty kernel
that it is graded against. Before every sample the L2 cache is filled with something else. All samples are
queued before the first is waited for: while the cache is being filled, the launch of what is timed is
already under way. The clock is the GPU's own, by events.

How the cache is left counts. Where it is full of lines that were read, the next kernel's results stay in
it, and cost nothing until later; where it is full of lines that were written, each line that a kernel reads
has to wait for one to be written back. So before a kernel that only reads the cache is filled by reading;
before one that writes, by copying: as the kernel itself would leave it, if it ran on and on over other data.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

__all__ = ["REPEATS", "Filling", "Prepared", "Timer", "Timing", "measure"]

REPEATS = 50
"""Samples of each measurement, at least."""
Call = Callable[[], Any]
Filling = Literal["read", "copied"]
"""How the cache is filled before a sample."""


@dataclass(frozen=True)
class Prepared:
    """A call that is ready to be replayed; `results` is what every replay writes anew."""

    replay: Callable[[], object]
    results: Any


class Timer(Protocol):
    """The clock of a device. All arithmetic on what it says is done elsewhere, so that it needs no GPU."""

    @property
    def l2_bytes(self) -> int:
        """The size of the last cache before memory."""

    def prepare(self, call: Call) -> Prepared:
        """Run `call` until nothing is left to compile, and capture it."""

    def seconds(
        self,
        prepared: Prepared,
        repeats: int,
        filling: Filling,
        while_busy: Callable[[], object] = lambda: None,
    ) -> list[float]:
        """Return the seconds of `repeats` replays, the cache filled before each.

        `while_busy` is called once all are queued, while the device works.
        """


@dataclass(frozen=True)
class Timing:
    """Samples in seconds."""

    samples: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse samples that no clock gives.

        Raises
        ------
        ValueError
            There is none, or one is not positive and finite.
        """
        wrong = [sample for sample in self.samples if not (sample > 0 and math.isfinite(sample))]
        if wrong or not self.samples:
            raise ValueError(f"{len(self.samples)} samples were taken, of which {wrong} are no times")

    @property
    def median(self) -> float:
        """The median, in seconds."""
        return statistics.median(self.samples)

    @property
    def spread(self) -> float:
        """Between the 20th and the 80th percentile, by nearest rank, as a part of the median."""
        ordered = sorted(self.samples)
        return (_ranked(ordered, 0.8) - _ranked(ordered, 0.2)) / self.median


def _ranked(ordered: Sequence[float], share: float) -> float:
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def measure(
    timer: Timer,
    call: Call,
    *,
    filling: Filling = "copied",
    repeats: int = REPEATS,
    while_busy: Callable[[], object] = lambda: None,
) -> tuple[Timing, Any]:
    """Time `call`, and return the samples together with what the last one of them computed."""
    prepared = timer.prepare(call)
    samples = timer.seconds(prepared, repeats, filling, while_busy)
    return Timing(tuple(samples)), prepared.results
