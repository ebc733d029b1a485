"""Try inputs one after another in this process, and note each before it is read.

Half are built from the format's own structure; half are damaged bytes of earlier ones. An input that ends
where none ended before is kept and damaged further: a poor man's coverage, at no cost.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

from benchmarks.fuzz.attempt import Ending, attempt
from benchmarks.fuzz.board import Board, Counts
from benchmarks.fuzz.byte_damage import damaged
from benchmarks.fuzz.finds import keep
from benchmarks.fuzz.target import Target

__all__ = ["Trial", "inputs", "try_for"]

_MOST_KEPT = 2000


class Trial:
    """Reads inputs of one format and counts how they end."""

    def __init__(self, name: str, target: Target, folder: Path, board: Board, finds: Path) -> None:
        self.name, self.target, self.folder, self.board, self.finds = name, target, folder, board, finds
        self.counts = Counts()

    def one(self, data: bytes) -> Ending:
        """Read one input."""
        self.board.begin(data)
        ending = attempt(self.target, data, self.folder)
        each = Counts(1, seconds=ending.seconds, mebibytes=ending.mebibytes)
        setattr(each, ending.kind, 1)
        self.counts += each
        self.board.note(self.counts)
        if ending.kind == "escaped":
            keep(self.finds, self.name, ending.key, ending.message, data)
        return ending


def inputs(target: Target, random: Random, corpus: list[bytes]) -> Iterator[bytes]:
    """Yield inputs without end; what is appended to `corpus` meanwhile is damaged as well."""
    while True:
        if random.random() < 0.5:
            yield target.made(random)
        else:
            yield target.mended(damaged(random.choice(corpus), random, target.words), random)


def try_for(trial: Trial, seconds: float, seed: int) -> None:
    """Try inputs for so many seconds by the clock."""
    random = Random(seed)
    corpus = list(trial.target.seeds())
    seen: set[tuple[str, ...]] = set()
    end = time.monotonic() + seconds
    for data in inputs(trial.target, random, corpus):
        if time.monotonic() >= end:
            return
        ending = trial.one(data)
        known = ending.key in seen and not (ending.kind == "accepted" and random.random() < 0.01)
        if not known and len(corpus) < _MOST_KEPT:
            seen.add(ending.key)
            corpus.append(data)
