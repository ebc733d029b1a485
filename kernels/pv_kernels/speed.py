"""What is claimed of a kernel's speed: on which shapes, of how many bytes, beside what.

A `Speed` is to time what a `KernelSpec` is to values; the check `pv_kernels.checks.speed` and the table of
``make bench-gpu`` come from it. One lies in ``speeds/`` for each kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, get_args

import torch
from torch import Tensor

from pv_kernels.spec import Arguments, KernelSpec, Results
from pv_kernels.timing import Filling

__all__ = ["PEERS", "Peer", "PeerName", "Size", "Speed", "SpeedCase", "filling_of"]

Size: TypeAlias = Literal["large", "vocabulary", "medium", "decode"]
"""``large`` moves four times the L2 cache or more, ``vocabulary`` too, in rows as long as one; ``medium`` 16
to 128 MB; ``decode`` is what one to sixteen tokens need."""
PeerName: TypeAlias = Literal["torch", "compiled", "sdpa", "cublas", "liger"]
"""What a user would pick instead: torch's own function, torch.compile of the formula, its attention, cuBLAS,
Liger-Kernel."""
PEERS: tuple[PeerName, ...] = get_args(PeerName)
Peer: TypeAlias = Callable[[Arguments], Callable[[], Any]]
"""Arguments on the device → what to time. It raises ImportError where it is not installed."""
Parts: TypeAlias = Callable[[Arguments, Results], Iterator[tuple[Arguments, Results]]]


@dataclass(frozen=True)
class SpeedCase:
    """One shape that is timed.

    Parameters
    ----------
    name
        The shape in words; figures are shown under it.
    size
        Its class; a target is of a class.
    draw
        Generator of the device → arguments on the device.
    parts
        Arguments and what was timed → arguments and results, small enough to be compared with the
        reference on the CPU: the first and the last rows, and some between.
    moved
        Arguments → bytes, where an algorithm must move more than `KernelSpec.traffic` says.
    """

    name: str
    size: Size
    draw: Callable[[torch.Generator], Arguments]
    parts: Parts
    moved: Callable[[Arguments], int] | None = None


@dataclass(frozen=True)
class Speed:
    """A kernel, the shapes that it is timed on, and what a user would pick instead."""

    spec: KernelSpec
    cases: tuple[SpeedCase, ...]
    peers: Mapping[PeerName, Peer] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        """Refuse what would measure nothing, or under one name twice.

        Raises
        ------
        ValueError
            There is no case, two have one name, or a peer is unknown.
        """
        names = [case.name for case in self.cases]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"speed of {self.spec.name}: cases {names} are none, or repeat a name")
        if unknown := set(self.peers) - set(PEERS):
            raise ValueError(f"speed of {self.spec.name}: no peers are called {sorted(unknown)}")

    def of_size(self, size: str) -> tuple[SpeedCase, ...]:
        """Return the cases of a class.

        Raises
        ------
        ValueError
            There is none, so that nothing would be measured.
        """
        found = tuple(case for case in self.cases if case.size == size)
        if not found:
            raise ValueError(
                f"speed of {self.spec.name}: no case is {size}; there are"
                f" {sorted({case.size for case in self.cases})}"
            )
        return found

    def moved(self, case: SpeedCase, arguments: Arguments) -> int:
        """Return the bytes that must be moved."""
        return (case.moved or self.spec.traffic)(arguments)


def filling_of(moved: int, results: Any) -> Filling:
    """Return how the cache is filled before a kernel that moves so many bytes and writes `results`.

    By reading, where results are less than an eighth of the bytes; see `pv_kernels.timing`.
    """
    tensors = (results,) if isinstance(results, Tensor) else tuple(results)
    written = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    return "read" if written * 8 < moved else "copied"
