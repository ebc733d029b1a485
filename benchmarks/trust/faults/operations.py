"""An operation that faults are injected into, and what has to hold of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Literal

__all__ = ["Operation"]

Promise = Literal["durable", "whole", "cache"]
"""``durable``: when it returns, what it did outlasts a loss of power. ``whole``: old or new, as the power
leaves it. ``cache``: as ``whole``, and failing to write is no error."""


@dataclasses.dataclass(frozen=True)
class Operation:
    """Something that writes; every function gets the folder, whose other content is not looked at."""

    name: str
    prepare: Callable[[Path], object]
    """Makes the folder as it is before."""
    act: Callable[[Path], object]
    """Runs in a process of its own; may raise an error of the system or of ours, and no other."""
    read: Callable[[Path], Hashable]
    """What a reader sees; raises where it sees something half."""
    promise: Promise = "durable"
    between: Callable[[Hashable, Hashable, Hashable], bool] = lambda _old, _new, _seen: False
    """(before, after, seen): whether what is seen is a state of its own, such as one record of two."""
    again: Callable[[Path], object] | None = None
    """The next command, which has to do what was asked for; None for `act` once more."""
    ours: tuple[str, ...] = ("OSError", "PvError")
    """Names of the errors that it may end with; another one is a fault of the program."""
