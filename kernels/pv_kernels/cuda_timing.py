"""The clock of a CUDA device: events around a captured graph, the L2 cache filled before each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from pv_kernels.timing import Filling, Prepared

__all__ = ["CudaTimer"]

_WARM = 3
"""How often a call runs before it is captured: the first compiles, the others settle what is allocated."""
_LEAST_BYTES = 256 << 20
_TIMES_L2 = 6
"""The cache is filled with so many times its size: its replacement is not strictly by age."""


class CudaTimer:
    """Time work on one CUDA device, on its current stream.

    Parameters
    ----------
    device
        As torch names it: ``cuda:0``.
    """

    def __init__(self, device: str) -> None:
        self.device = torch.device(device)
        properties = torch.cuda.get_device_properties(self.device)
        self._l2_bytes = int(properties.L2_cache_size)
        elements = max(_LEAST_BYTES, _TIMES_L2 * self._l2_bytes) // 4
        self._first = torch.zeros(elements, dtype=torch.float32, device=self.device)
        self._second = torch.zeros(elements // 2, dtype=torch.float32, device=self.device)
        self._sum = torch.zeros((), dtype=torch.float32, device=self.device)

    @property
    def l2_bytes(self) -> int:
        """The size of the L2 cache."""
        return self._l2_bytes

    def prepare(self, call: Callable[[], Any]) -> Prepared:
        """Run `call` on a stream of its own, as capturing asks for, and capture it in a graph.

        Raises
        ------
        RuntimeError
            `call` waits for the device or allocates in a way that cannot be captured.
        """
        current = torch.cuda.current_stream(self.device)
        aside = torch.cuda.Stream(self.device)
        aside.wait_stream(current)
        with torch.cuda.stream(aside):
            for _ in range(_WARM):
                call()
        current.wait_stream(aside)
        torch.cuda.synchronize(self.device)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            results = call()
        return Prepared(graph.replay, results)

    def seconds(
        self,
        prepared: Prepared,
        repeats: int,
        filling: Filling,
        while_busy: Callable[[], object] = lambda: None,
    ) -> list[float]:
        """Return the seconds of `repeats` replays; see `pv_kernels.timing.Timer`."""
        prepared.replay()
        torch.cuda.synchronize(self.device)
        events = []
        for _ in range(repeats):
            self.fill(filling)
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            prepared.replay()
            end.record()
            events.append((begin, end))
        while_busy()
        torch.cuda.synchronize(self.device)
        return [begin.elapsed_time(end) / 1e3 for begin, end in events]

    def fill(self, filling: Filling) -> None:
        """Fill the cache: reading leaves nothing to be written back, copying leaves half."""
        if filling == "read":
            torch.sum(self._first, dim=0, out=self._sum)
        else:
            half = self._first.numel() // 2
            self._second[:half].copy_(self._first[:half])
