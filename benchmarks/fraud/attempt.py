"""One way to get a green that is not earned: what is tried, who names it, and by which words."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.fraud.room import Room

__all__ = ["Attempt", "Ended", "Play", "Played"]


@dataclasses.dataclass(frozen=True, slots=True)
class Ended:
    """How a command of ``pv`` ended, and what it printed."""

    code: int
    text: str

    @property
    def lines(self) -> tuple[str, ...]:
        """What a person reads, without the lines that are empty."""
        return tuple(" ".join(line.split()) for line in self.text.splitlines() if line.strip())

    @property
    def crashed(self) -> bool:
        """Whether a defect of ``pv`` itself ended it: that names nothing."""
        return "a defect of pv" in self.text

    def has(self, word: str) -> bool:
        """Tell whether it was said: a word of a status, an outcome or a code, or ``exit N``."""
        if word.startswith("exit "):
            return self.code == int(word.removeprefix("exit "))
        plain = "".join(c if c.isalnum() or c in "-_" else " " for c in self.text)
        return f" {word} " in f" {' '.join(plain.split())} "

    def line_of(self, words: str) -> str:
        """Return the line that has `words`; empty where none has."""
        return next((line for line in self.lines if words in line), "")


@dataclasses.dataclass(frozen=True, slots=True)
class Played:
    """The same command twice: in the honest project, which is the control, and where it is tried."""

    control: Ended
    tried: Ended


Play = Callable[["Room"], Played]


@dataclasses.dataclass(frozen=True, slots=True)
class Attempt:
    """A way to get a green.

    Parameters
    ----------
    tried
        What somebody does, in a few words.
    named_by
        What must be said of it and not of the control: an outcome of a run, a status, a finding's code, or an
        exit code as ``exit N``.
    says
        The part of the message that gives the reason, which must stand in one line.
    play
        Tries it, beside the control.
    open_because
        Why ``pv`` does not name it; then it must end green like its control, or this list is out of date.
    """

    tried: str
    named_by: str
    says: str
    play: Play
    open_because: str = ""
