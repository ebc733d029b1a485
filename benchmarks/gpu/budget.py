"""Eight minutes, spread over the parts: what one leaves over the next ones have, in the shares they have."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

__all__ = ["SECONDS", "SECONDS_WITHOUT_GPU", "SHARES", "Budget"]

SECONDS = 8 * 60.0
SECONDS_WITHOUT_GPU = 2 * 60.0
"""Where kernels run by the interpreter, and nothing else is done."""
SHARES: Mapping[str, float] = {"correctness": 3, "speed": 6, "decode step": 3, "values": 3}
"""How long the parts are let run, against each other; in their order."""
_KEPT = 10.0
"""Seconds that are left for writing down what was found."""


class Budget:
    """Deadlines for parts that run one after another.

    Parameters
    ----------
    seconds
        For all parts together.
    shares
        Part → its share, in the order in which they run.
    clock
        What tells the seconds; another one in tests.
    """

    def __init__(
        self,
        seconds: float = SECONDS,
        shares: Mapping[str, float] = SHARES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock, self._waiting = clock, dict(shares)
        self._end = clock() + seconds - _KEPT
        self._deadline = self._end

    def begin(self, part: str) -> float:
        """Begin `part`: the time that is left is split by the shares of it and of those behind it.

        Returns
        -------
        float
            The seconds that it has.

        Raises
        ------
        KeyError
            There is no such part, or it was begun before.
        """
        share = self._waiting.pop(part)
        left = max(self._end - self._clock(), 0.0)
        seconds = left * share / (share + sum(self._waiting.values()))
        self._deadline = self._clock() + seconds
        return seconds

    def left(self) -> float:
        """Return the seconds that the part has left; 0 where it has none."""
        return max(self._deadline - self._clock(), 0.0)
