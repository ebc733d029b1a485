"""Inject faults into everything that writes, and print what came of it.

    python -m benchmarks.trust.faults [EVERY] [WORD...]      by default every point of every operation

The exit code is 1 where something was half.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from benchmarks.trust.faults.injection import inject
from benchmarks.trust.faults.table import groups


def main(words: Sequence[str] | None = None) -> int:
    """Print a line an operation, and the sums; return the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.trust.faults", description=__doc__)
    parser.add_argument("every", nargs="?", type=int, default=1, metavar="EVERY", help="1 is every point")
    parser.add_argument(
        "words", nargs="*", metavar="WORD", help="only operations with such a word in their name"
    )
    given = parser.parse_args(words)
    began, points, images, wrong = time.monotonic(), 0, 0, 0
    print(f"{'operation':46} {'calls':>6} {'faults':>7} {'power':>6} {'half':>5}")
    for _, operations in groups():
        for operation in operations:
            if given.words and not any(word in operation.name for word in given.words):
                continue
            done = inject(operation, every=given.every)
            points, images, wrong = points + done.points, images + done.images, wrong + len(done.found)
            print(
                f"{done.operation:46} {done.calls:6} {done.points:7} {done.images:6} {len(done.found):5}",
                flush=True,
            )
            for found in done.found[:5]:
                print(f"    {found}")
    seconds = time.monotonic() - began
    print(f"{points} points, {images} states after a loss of power, {wrong} half, in {seconds:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
