"""What nothing on this device can be quicker than, measured in the same run: a launch, and moving bytes.

A kernel that moves B bytes takes at least ``t_launch + B / b_copy``, its *floor*: t_launch is an empty kernel
in a graph, b_copy the bandwidth of a copy of 1 GiB, which reads and writes as much. The grade of a kernel is
its floor over its time.

A kernel that only reads may be a little quicker than a copy of as many bytes, since memory need not turn
around between reading and writing. So there is a second bound, the *ceiling*: the same with the highest
bandwidth that was seen in any way. Nothing is quicker than that; a time that is was not measured rightly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from pv_kernels.timing import Timer, measure

__all__ = ["COPIED_BYTES", "Ceiling", "Ways", "measure_ceiling"]

COPIED_BYTES = 1 << 30
"""How much a copy reads, and again how much it writes."""


class Ways(Protocol):
    """What the bounds are measured with."""

    def empty(self) -> object:
        """Launch a kernel that does nothing."""

    @property
    def copies(self) -> Mapping[str, Callable[[], object]]:
        """Ways to copy `COPIED_BYTES`, by name."""

    @property
    def reads(self) -> Mapping[str, Callable[[], object]]:
        """Ways to read `COPIED_BYTES` and write next to nothing, by name."""


@dataclass(frozen=True)
class Ceiling:
    """Bounds of a device: seconds of a launch, and bytes a second of the best copy and of the best of all."""

    launch_seconds: float
    copy_bandwidth: float
    highest_bandwidth: float

    def floor(self, moved: int) -> float:
        """Return the seconds that a kernel which moves so many bytes is graded against."""
        return self.launch_seconds + moved / self.copy_bandwidth

    def fraction_of_floor(self, moved: int, seconds: float) -> float:
        """Return the grade: 1 where a kernel takes what a launch and a copy take."""
        return self.floor(moved) / seconds

    def fraction_of_ceiling(self, moved: int, seconds: float) -> float:
        """Return the part of the seconds that moving as fast as anything does would have taken."""
        return (self.launch_seconds + moved / self.highest_bandwidth) / seconds


def measure_ceiling(timer: Timer, ways: Ways) -> Ceiling:
    """Measure the bounds of the device that `timer` and `ways` are of."""
    launch = measure(timer, ways.empty, filling="read")[0].median

    def bandwidth(way: Callable[[], object], moved: int) -> float:
        seconds = measure(timer, way)[0].median
        # Without the launch, which a floor has already; a clock on which a copy takes no longer is wrong, and
        # what is graded by it is far from what is known.
        return moved / (seconds - launch if seconds > 2 * launch else seconds)

    copies = [bandwidth(way, 2 * COPIED_BYTES) for way in ways.copies.values()]
    reads = [bandwidth(way, COPIED_BYTES) for way in ways.reads.values()]
    return Ceiling(launch, max(copies), max(*copies, *reads))
