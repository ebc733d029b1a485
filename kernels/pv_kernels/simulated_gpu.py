"""A GPU that is simulated, to try the procedure of measuring on: what it takes is known.

It has memory of one bandwidth, a last cache of another, and a clock that launches move on. It computes
nothing. What is measured on it says nothing of any kernel: it says whether the procedure finds what is there.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pv_kernels.ceiling import COPIED_BYTES
from pv_kernels.timing import Filling, Prepared

__all__ = ["SimulatedGpu", "SimulatedTimer", "SimulatedWays"]


@dataclass
class SimulatedGpu:
    """Its clock, its memory, and what lies in its cache: buffers by name, the oldest first."""

    launch_seconds: float = 4e-6
    bandwidth: float = 3e12
    l2_bytes: int = 50 << 20
    l2_bandwidth: float = 9e12
    now: float = 0.0
    cached: dict[str, int] = field(default_factory=dict)
    queued: float = 0.0
    """When the device will have done all that was launched."""

    def launch(self, moved: Mapping[str, int], efficiency: float = 1.0) -> None:
        """Move the bytes of buffers by name, at a part of the bandwidth."""
        seconds = self.launch_seconds
        for name, size in moved.items():
            bandwidth = self.l2_bandwidth if name in self.cached else self.bandwidth
            seconds += size / bandwidth / efficiency
            self._keep(name, size)
        self.queued = max(self.queued, self.now) + seconds

    def wait(self) -> None:
        """Let the clock reach the end of what was launched."""
        self.now = max(self.now, self.queued)

    def _keep(self, name: str, size: int) -> None:
        self.cached.pop(name, None)
        if size <= self.l2_bytes:
            self.cached[name] = size
        passing = size if size > self.l2_bytes else 0
        while self.cached and sum(self.cached.values()) + passing > self.l2_bytes:
            del self.cached[next(iter(self.cached))]


class SimulatedTimer:
    """The clock of a simulated GPU, with the noise that clocks have: some samples are late.

    `fills` and `waits` are what a right procedure does.
    """

    def __init__(self, gpu: SimulatedGpu, *, fills: bool = True, waits: bool = True) -> None:
        self.gpu, self.fills, self.waits = gpu, fills, waits
        self._late = itertools.cycle((0.0, 0.0, 0.01, 0.0, 0.6, 0.0, 0.0))

    @property
    def l2_bytes(self) -> int:
        """The size of the simulated cache."""
        return self.gpu.l2_bytes

    def prepare(self, call: Callable[[], Any]) -> Prepared:
        """Run `call` once, as capturing does."""
        return Prepared(call, call())

    def seconds(
        self,
        prepared: Prepared,
        repeats: int,
        filling: Filling,
        while_busy: Callable[[], object] = lambda: None,
    ) -> list[float]:
        """Return the simulated seconds of `repeats` replays."""
        del filling
        samples = []
        for _ in range(repeats):
            if self.fills:
                self.gpu.launch({"something else": 6 * self.gpu.l2_bytes})
            self.gpu.wait()
            begun = self.gpu.now
            prepared.replay()
            self.gpu.now += 1e-7  # what queueing takes
            if self.waits:
                self.gpu.wait()
            samples.append((self.gpu.now - begun) * (1 + next(self._late)))
        while_busy()
        return samples


class SimulatedWays:
    """Launches of a simulated GPU that its bounds are measured with."""

    def __init__(self, gpu: SimulatedGpu) -> None:
        self.gpu = gpu

    def empty(self) -> None:
        """Launch what moves nothing."""
        self.gpu.launch({})

    @property
    def copies(self) -> Mapping[str, Callable[[], None]]:
        """One copy, at the whole bandwidth."""
        return {"copy": lambda: self.gpu.launch({"source": COPIED_BYTES, "target": COPIED_BYTES})}

    @property
    def reads(self) -> Mapping[str, Callable[[], None]]:
        """One reading, quicker than a copy by a twentieth."""
        return {"sum": lambda: self.gpu.launch({"source": COPIED_BYTES}, efficiency=1.05)}
