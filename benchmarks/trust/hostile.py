"""How many bad files were read, and how many of them ended as nothing should: figures for a table."""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.fuzz.board import Counts
from benchmarks.fuzz.finds import FINDS
from benchmarks.fuzz.registry import FORMATS
from benchmarks.fuzz.table import fuzz_all

__all__ = ["hostile"]


def hostile(seconds: float = 60.0, seed: int = 1, finds: Path = FINDS) -> dict[str, float]:
    """Fuzz every format for so many seconds, on all cores.

    Returns
    -------
    dict[str, float]
        ``inputs``, ``rejected``, ``accepted`` and ``escapes``, over all formats; ``seconds`` of processor and
        ``mebibytes`` that the worst one took.
    """
    found = fuzz_all(list(FORMATS), seconds, seed, len(os.sched_getaffinity(0)), finds)
    whole = sum(found.values(), Counts())
    return {
        "inputs": whole.tried,
        "rejected": whole.rejected,
        "accepted": whole.accepted,
        "escapes": whole.escaped,
        "seconds": whole.seconds,
        "mebibytes": whole.mebibytes,
    }
