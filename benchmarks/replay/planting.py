"""How most defects are planted: as a counter-example of the falsifier that must name it."""

from __future__ import annotations

from benchmarks.replay.defect import Defect, Played
from benchmarks.replay.stack import Stack

__all__ = ["in_check"]


def in_check(name: str, history: str, falsifier: str, counter_example: str) -> Defect:
    """Return the defect that this counter-example of a falsifier of our contracts is."""

    def play(stack: Stack) -> Played:
        return stack.planted(falsifier, counter_example)

    return Defect(name, history, falsifier, play)
