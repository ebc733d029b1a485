"""``make fuzz``, or ``python -m benchmarks.fuzz [FORMAT...]``: bad inputs by the thousand, of every format.

Each input is read in a process with limits. It must be accepted and usable, or end in the error of its
layer, with a message; anything else is an escape, and is kept below build/fuzz. Ends with 1 if there is one.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.fuzz.finds import FINDS, kept
from benchmarks.fuzz.guided import is_installed
from benchmarks.fuzz.registry import FORMATS
from benchmarks.fuzz.table import fuzz_all, lines


def main(words: Sequence[str] | None = None) -> int:
    """Fuzz the formats that are named, or all, and print one table."""
    parser = argparse.ArgumentParser(prog="benchmarks.fuzz", description=__doc__)
    parser.add_argument("formats", nargs="*", metavar="FORMAT", help=f"only these: {', '.join(FORMATS)}")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each format, on one core")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="processes at a time")
    parser.add_argument("--seed", type=int, default=1, help="another one tries other inputs")
    parser.add_argument("--finds", type=Path, default=FINDS, help="where escapes are kept")
    given = parser.parse_args(words)
    if unknown := set(given.formats) - set(FORMATS):
        parser.error(f"no format is called {', '.join(sorted(unknown))}; there are {', '.join(FORMATS)}")
    if not is_installed():
        print("atheris is not installed, so that no input is guided by coverage: pip install 'pv[fuzz]'")
    found = fuzz_all(given.formats or list(FORMATS), given.seconds, given.seed, given.jobs, given.finds)
    print(*lines(found), sep="\n")
    escaped = sum(each.escaped for each in found.values())
    for find in kept(given.finds) if escaped else ():
        print(f"\n{find['input']}\n    {ascii(find['message'])[:400]}")
    return 1 if escaped else 0


if __name__ == "__main__":
    sys.exit(main())
