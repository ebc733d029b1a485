"""Make each attempt, and say who named it, how long that took, and what a person was told."""

from __future__ import annotations

import dataclasses
import subprocess
import textwrap
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from benchmarks.fraud.attempt import Attempt, Played
from benchmarks.fraud.room import FraudError, Room
from pv.errors import PvError

__all__ = ["Row", "all_as_stated", "last_line", "lines", "rows"]

_WIDTH = 118


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """What became of an attempt.

    Parameters
    ----------
    name, attempt
        Which one.
    played
        What was said of it and of its control; None where it could not be made.
    seconds
        Wall time, the control among it unless another attempt had the same.
    broken
        Why it could not be made.
    """

    name: str
    attempt: Attempt
    played: Played | None
    seconds: float
    broken: str = ""

    @property
    def word(self) -> str:
        """``named``, or ``open`` where it is known not to be; else what is wrong.

        ``MISSED``: it is green, or refused for another reason; ``ALARM``: the control is not green, or is
        named as well; ``CRASH``: a defect of ``pv`` ended it; ``BROKEN``: it could not be made;
        ``CLOSED``: it was said to be open, and is not green.
        """
        if self.played is None:
            return "BROKEN"
        control, tried = self.played.control, self.played.tried
        if control.crashed or tried.crashed:
            return "CRASH"
        named_by, says = self.attempt.named_by, self.attempt.says
        if self.attempt.open_because:
            return "ALARM" if control.code else "CLOSED" if tried.code else "open"
        if control.code or (control.has(named_by) and control.line_of(says)):
            return "ALARM"
        return "named" if tried.has(named_by) and tried.line_of(says) else "MISSED"

    @property
    def message(self) -> tuple[str, ...]:
        """What there is to tell."""
        if self.played is None:
            return (self.broken,)
        if self.word == "named":
            return (self.played.tried.line_of(self.attempt.says),)
        if self.word == "open":
            return (self.attempt.open_because,)
        said = self.played.control if self.word == "ALARM" else self.played.tried
        return (f"exit {said.code}", *said.lines)


def rows(attempts: Mapping[str, Attempt], room: Room) -> Iterator[Row]:
    """Make them one after the other."""
    for name, attempt in attempts.items():
        started = time.perf_counter()
        played, broken = None, ""
        try:
            played = attempt.play(room)
        except (FraudError, PvError, ValueError, OSError, subprocess.CalledProcessError) as error:
            broken = f"{type(error).__name__}: {error}"
        yield Row(name, attempt, played, time.perf_counter() - started, broken)


def lines(row: Row) -> Iterator[str]:
    """Print a row: name, outcome, who names it, time, what was tried; beneath it what was said."""
    by = row.attempt.named_by if row.word != "open" else ""
    yield f"{row.name:14} {row.word:6} {by:18} {row.seconds:5.2f} s  {row.attempt.tried}"
    for text in row.message:
        yield from textwrap.wrap(text, _WIDTH, initial_indent=" " * 15, subsequent_indent=" " * 17)


def last_line(found: Sequence[Row]) -> str:
    """Count them."""
    total = sum(row.seconds for row in found)
    named = sum(row.word == "named" for row in found)
    known = sum(row.word == "open" for row in found)
    wrong = len(found) - named - known
    rest = f", {known} known not to be" if known else ""
    return f"{total:.0f} s\n{named} of {len(found)} named{rest}" + (
        f", {wrong} NOT AS STATED" if wrong else ""
    )


def all_as_stated(found: Iterable[Row]) -> bool:
    """Whether every attempt came out as its row says, and every control was green."""
    return all(row.word in {"named", "open"} for row in found)
