"""What a check is given of its run: what it is promised, and nothing of what else the recorder knows."""

from __future__ import annotations

from pv.check import Run

__all__ = ["Given"]


class Given:
    """The `Run` of a check. Whether something is planted, and what, is nothing that it is to measure by."""

    __slots__ = ("device", "level", "progress", "record", "role", "scratch", "seed", "undamaged")

    def __init__(self, run: Run) -> None:
        for name in self.__slots__:
            setattr(self, name, getattr(run, name))
