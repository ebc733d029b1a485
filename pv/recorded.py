"""What a running job has recorded so far, and whether that is enough to end it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TypeAlias

from pv.check import Value

__all__ = ["Enough", "Recorded", "Samples"]

Samples: TypeAlias = Mapping[str, tuple[tuple[Value, str | None], ...]]
"""Metric → (value, label) in the order recorded."""
Enough: TypeAlias = Callable[[Samples], bool]
"""Says of the first samples of a run that no later one can matter."""

_FIRST_SECONDS = 1.5
"""A run that takes less is never cut short: all that it records is worth more than the time."""
_BETWEEN_SECONDS = 0.5
_SHARE = 20
"""Asking takes no more than one part in so many of the time that passes."""


class Recorded:
    """The samples of one job, as they arrive; `enough`, where there is one, is asked now and then."""

    def __init__(self, enough: Enough | None) -> None:
        self.planted = False
        self._settled_at: int | None = None
        self._enough = enough
        self._samples: dict[str, list[tuple[Value, str | None]]] = {}
        self._order: list[str] = []
        self._next = time.monotonic() + _FIRST_SECONDS

    @property
    def settled(self) -> bool:
        """Whether :meth:`is_enough` has said so."""
        return self._settled_at is not None

    def add(self, name: str, value: Value, label: str | None) -> None:
        """Keep one sample."""
        self._samples.setdefault(name, []).append((value, label))
        if self._enough is not None:
            self._order.append(name)

    def is_enough(self) -> bool:
        """Tell whether the job may be ended, which is asked only of one whose role was damaged."""
        started = time.monotonic()
        if self._enough is None or not self.planted or started < self._next:
            return False
        if self._enough(self._first(len(self._order))):
            self._settled_at = len(self._order)
        now = time.monotonic()
        self._next = now + max(_BETWEEN_SECONDS, _SHARE * (now - started))
        return self.settled

    def samples(self) -> Samples:
        """Return what was recorded; where that was enough, no more of it than that takes.

        How many samples had arrived when the question was put depends on the host's haste.
        """
        if self._enough is None or self._settled_at is None:
            return {name: tuple(values) for name, values in self._samples.items()}
        few, many = 0, self._settled_at
        while few < many:
            middle = (few + many) // 2
            if self._enough(self._first(middle)):
                many = middle
            else:
                few = middle + 1
        return self._first(many)

    def _first(self, number: int) -> Samples:
        counts: dict[str, int] = {}
        for name in self._order[:number]:
            counts[name] = counts.get(name, 0) + 1
        return {name: tuple(self._samples[name][:count]) for name, count in counts.items()}
