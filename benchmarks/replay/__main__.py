"""``make replay``, or ``python -m benchmarks.replay [NUMBER...]``: defects of the past, planted again.

Each is planted on the working stack, by itself, and must be named by the falsifier or the rule that stands
beside it; the same path without the defect must not be. Ends with 1 unless all are caught so.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.replay.registry import DEFECTS
from benchmarks.replay.stack import Stack
from benchmarks.replay.table import all_caught, last_line, lines, rows


def main(words: Sequence[str] | None = None) -> int:
    """Print the table of all defects, or of those that are named by number."""
    parser = argparse.ArgumentParser(prog="benchmarks.replay", description=__doc__)
    parser.add_argument("numbers", nargs="*", type=_number, metavar="NUMBER", help="only these")
    parser.add_argument("--history", action="store_true", help="also say what each came to at its time")
    given = parser.parse_args(words)
    chosen = {number: DEFECTS[number] for number in given.numbers or DEFECTS}
    found = []
    with tempfile.TemporaryDirectory(prefix="replay-") as folder, Stack(Path(folder)) as stack:
        for row in rows(chosen, stack):
            found.append(row)
            print(*lines(row), sep="\n", flush=True)
            if given.history:
                print(f"            ({row.defect.history})")
    print(f"\n{last_line(found)}")
    return 0 if all_caught(found) else 1


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) in DEFECTS):
        raise argparse.ArgumentTypeError(f"{text!r} is none of 1 to {max(DEFECTS)}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
