"""One defect of the past: what happened, how it is planted today, and who must name it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.replay.stack import Stack

__all__ = ["Defect", "Play", "Played", "Said"]


@dataclasses.dataclass(frozen=True, slots=True)
class Said:
    """What the working stack said of one path through it.

    Parameters
    ----------
    names
        Ids of falsifiers that did not pass, and codes of rules that were broken.
    message
        What a person was told, line by line.
    """

    names: tuple[str, ...]
    message: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Played:
    """The same path twice: without the defect, which is the control, and with it."""

    control: Said
    planted: Said


Play = Callable[["Stack"], Played]


@dataclasses.dataclass(frozen=True, slots=True)
class Defect:
    """A defect that somebody had.

    Parameters
    ----------
    name
        What it was.
    history
        What came of it, in a sentence.
    named_by
        The falsifier or the rule that must name it, and must not name the control.
    play
        Plants it, and takes it away.
    """

    name: str
    history: str
    named_by: str
    play: Play
