"""Inject faults into everything that writes, and print what came of it.

    python -m benchmarks.trust.faults [EVERY] [WORD...]      by default every point of every operation

With words, the operations that have one of them in their name. The exit code is 1 where something was half.
"""

from __future__ import annotations

import sys
import time

from benchmarks.trust.faults.injection import inject
from benchmarks.trust.faults.table import groups


def main() -> None:
    """Print a line an operation, and the sums."""
    every = int(sys.argv[1]) if sys.argv[1:] else 1
    words = sys.argv[2:]
    began, points, images, wrong = time.monotonic(), 0, 0, 0
    print(f"{'operation':46} {'calls':>6} {'faults':>7} {'power':>6} {'half':>5}")
    for _, operations in groups():
        for operation in operations:
            if words and not any(word in operation.name for word in words):
                continue
            done = inject(operation, every=every)
            points, images, wrong = points + done.points, images + done.images, wrong + len(done.found)
            print(
                f"{done.operation:46} {done.calls:6} {done.points:7} {done.images:6} {len(done.found):5}",
                flush=True,
            )
            for found in done.found[:5]:
                print(f"    {found}")
    seconds = time.monotonic() - began
    print(f"{points} points, {images} states after a loss of power, {wrong} half, in {seconds:.0f} s")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
