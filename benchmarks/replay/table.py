"""Play each defect, and say who named it, how long that took, and what a person was told."""

from __future__ import annotations

import dataclasses
import textwrap
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from benchmarks.replay.defect import Defect, Played
from benchmarks.replay.stack import ReplayError, Stack
from pv.errors import PvError

__all__ = ["SECONDS", "Row", "all_caught", "last_line", "lines", "rows"]

SECONDS = 10.0
"""How long a defect may take, its control among it."""
_WIDTH = 118


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """What became of a defect.

    Parameters
    ----------
    number, defect
        Which one.
    played
        What was said with it and without it; None where it could not be planted.
    seconds
        Wall time, the control among it.
    broken
        Why it could not be planted.
    """

    number: int
    defect: Defect
    played: Played | None
    seconds: float
    broken: str = ""

    @property
    def word(self) -> str:
        """``caught``; ``MISSED``; ``ALARM``: the control is named, too; ``BROKEN``."""
        if self.played is None:
            return "BROKEN"
        if self.defect.named_by in self.played.control.names:
            return "ALARM"  # then naming it proves nothing
        return "caught" if self.defect.named_by in self.played.planted.names else "MISSED"

    @property
    def message(self) -> tuple[str, ...]:
        """What there is to tell."""
        if self.played is None:
            return (self.broken,)
        said = self.played.control if self.word == "ALARM" else self.played.planted
        return said.message or ("nothing was said",)


def rows(defects: Mapping[int, Defect], stack: Stack) -> Iterator[Row]:
    """Play them one after the other."""
    for number, defect in defects.items():
        started = time.perf_counter()
        played, broken = None, ""
        try:
            played = defect.play(stack)
        except (ReplayError, PvError, ValueError) as error:
            broken = f"{type(error).__name__}: {error}"
        yield Row(number, defect, played, time.perf_counter() - started, broken)


def lines(row: Row) -> Iterator[str]:
    """Print a row: number, outcome, who names it, time, the defect; beneath it what it said."""
    late = " LATE" if row.seconds >= SECONDS else ""
    took = f"{row.seconds:5.1f} s{late}"
    yield f"{row.number:2}  {row.word:6}  {row.defect.named_by:30} {took}  {row.defect.name}"
    for text in row.message:
        yield from textwrap.wrap(text, _WIDTH, initial_indent=" " * 12, subsequent_indent=" " * 14)


def last_line(found: Sequence[Row]) -> str:
    """Count them."""
    caught = sum(row.word == "caught" for row in found)
    late = sum(row.seconds >= SECONDS for row in found)
    total = sum(row.seconds for row in found)
    in_time = f"each in under {SECONDS:g} s" if not late else f"{late} took {SECONDS:g} s or more"
    return f"{total:.0f} s, {in_time}\n{caught} of {len(found)}"


def all_caught(found: Iterable[Row]) -> bool:
    """Whether every defect was named, and no control."""
    return all(row.word == "caught" for row in found)
