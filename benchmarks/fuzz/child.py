"""A process that fuzzes one format, in limits: started by `benchmarks.fuzz.parent`."""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import sys
import warnings
from pathlib import Path

from benchmarks.fuzz.board import Board
from benchmarks.fuzz.guided import instrumented, try_guided
from benchmarks.fuzz.loop import Trial, try_for

_ADDRESS_SPACE = 1 << 30
"""Bytes beyond what is in use when it begins; the cost of one input is bounded by `attempt`."""


def main() -> None:
    """Fuzz one format for a while."""
    parser = argparse.ArgumentParser()
    parser.add_argument("format")
    parser.add_argument("engine", choices=["plain", "guided"])
    parser.add_argument("seconds", type=float)
    parser.add_argument("seed", type=int)
    parser.add_argument("folder", type=Path, help="for what is read, below which the board lies")
    parser.add_argument("finds", type=Path)
    given = parser.parse_args()
    with instrumented() if given.engine == "guided" else contextlib.nullcontext():
        from benchmarks.fuzz.registry import target_of
    warnings.simplefilter("error")  # a warning that users would see is an escape as well
    target = target_of(given.format)
    place = given.folder / "read"
    place.mkdir(exist_ok=True)
    with Board(given.folder / "board") as board:
        trial = Trial(given.format, target, place, board, given.finds)
        for data in target.seeds():  # imports what is imported late, before limits are set
            ending = trial.one(data)
            if ending.kind != "accepted":
                sys.exit(f"{given.format}: a seed is not accepted: {ending.message}")
        trial.counts = type(trial.counts)()
        _limit()
        if given.engine == "plain":
            try_for(trial, given.seconds, given.seed)
        else:
            try_guided(trial, given.seconds, given.seed, given.folder / "corpus")


def _limit() -> None:
    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + _ADDRESS_SPACE, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - libraries print
    main()
