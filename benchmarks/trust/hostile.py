"""How many bad files were read, and how many of them ended as nothing should: figures for a table.

``python -m benchmarks.trust.hostile --seconds 100`` prints them, and ends with 1 if an input escaped.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.fuzz.board import Counts
from benchmarks.fuzz.finds import FINDS, kept
from benchmarks.fuzz.registry import FORMATS
from benchmarks.fuzz.table import fuzz_all

__all__ = ["Hostile", "hostile"]


@dataclasses.dataclass(frozen=True)
class Hostile:
    """What came of bad inputs, over all formats.

    Parameters
    ----------
    inputs
        How many were tried.
    rejected, accepted, escapes
        How many ended in the error of their layer, were read whole, and did neither.
    worst_seconds, worst_mebibytes
        Of processor, and of new memory, that one input took.
    finds
        What is kept of those that escaped, one of each kind; of earlier runs, too.
    """

    inputs: int
    rejected: int
    accepted: int
    escapes: int
    worst_seconds: float
    worst_mebibytes: float
    finds: tuple[str, ...]


def hostile(
    seconds: float = 60.0, seed: int = 1, finds: Path = FINDS, formats: Sequence[str] = tuple(FORMATS)
) -> Hostile:
    """Fuzz each of `formats` for so many seconds by the clock, as many at a time as there are cores.

    Raises
    ------
    RuntimeError
        A child cannot start, does not accept a seed, or cannot make an input.
    """
    found = fuzz_all(formats, seconds, seed, len(os.sched_getaffinity(0)), finds)
    whole = sum(found.values(), Counts())
    said = kept(finds) if whole.escaped else []
    return Hostile(
        whole.tried,
        whole.rejected,
        whole.accepted,
        whole.escaped,
        whole.seconds,
        whole.mebibytes,
        tuple(f"{each['input']}: {str(each['message'])[:200]!a}" for each in said),
    )


def main(words: Sequence[str] | None = None) -> int:
    """Print the figures; 1 where an input escaped."""
    parser = argparse.ArgumentParser(prog="benchmarks.trust.hostile", description=__doc__.partition("\n")[0])
    parser.add_argument("formats", nargs="*", metavar="FORMAT", help=f"only these: {', '.join(FORMATS)}")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each format")
    parser.add_argument("--seed", type=int, default=1, help="another one tries other inputs")
    given = parser.parse_args(words)
    found = hostile(given.seconds, given.seed, formats=given.formats or tuple(FORMATS))
    print(f"{found.inputs:,} inputs: {found.rejected:,} rejected, {found.accepted:,} accepted, ", end="")
    print(f"{found.escapes} escaped; at worst {found.worst_seconds:.3f} s, {found.worst_mebibytes:.1f} MiB")
    print(*found.finds, sep="\n", end="")
    return 1 if found.escapes else 0


if __name__ == "__main__":
    sys.exit(main())
