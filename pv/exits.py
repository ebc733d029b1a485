"""Exit codes: one meaning each, and how several combine into one."""

from __future__ import annotations

import enum
from collections.abc import Iterable

__all__ = ["Exit", "worst"]


class Exit(enum.IntEnum):
    """How a command ended."""

    ACCEPTED = 0
    REJECTED = 1
    """Invalid, falsified, different."""
    USAGE = 2
    """The command line is wrong, or nothing was selected."""
    DECLINED = 3
    """It could not be judged here."""
    ERROR = 4
    """A check or the program itself broke."""
    INTERRUPTED = 130


_WORST_FIRST = (Exit.INTERRUPTED, Exit.ERROR, Exit.USAGE, Exit.REJECTED, Exit.DECLINED, Exit.ACCEPTED)


def worst(exits: Iterable[Exit]) -> Exit:
    """Combine the ends of several: 130 > 4 > 2 > 1 > 3 > 0; of none, USAGE: nothing was selected."""
    found = set(exits)
    for candidate in _WORST_FIRST:
        if candidate in found:
            return candidate
    return Exit.USAGE
