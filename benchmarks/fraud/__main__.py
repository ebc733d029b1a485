"""``make fraud``, or ``python -m benchmarks.fraud [NAME...]``: ways to get a green that is not earned.

Each is tried in a small project of its own, and must be refused or shown, by the word and with the reason
that stand beside it; the same project without it must be green. What ``pv`` is known not to name is tried as
well, and listed as that. Ends with 1 unless all come out as stated.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.fraud.registry import ATTEMPTS
from benchmarks.fraud.room import Room
from benchmarks.fraud.table import all_as_stated, last_line, lines, rows

__all__ = ["main"]


def main(words: Sequence[str] | None = None) -> int:
    """Print the table of all attempts, or of those that are named, alone or by their family."""
    parser = argparse.ArgumentParser(prog="benchmarks.fraud", description=__doc__)
    parser.add_argument("names", nargs="*", type=_names, metavar="NAME", help="only these, or families")
    given = parser.parse_args(words)
    chosen = [name for names in given.names for name in names] or ATTEMPTS
    found = []
    with tempfile.TemporaryDirectory(prefix="fraud-") as folder:
        for row in rows({name: ATTEMPTS[name] for name in chosen}, Room(Path(folder))):
            found.append(row)
            print(*lines(row), sep="\n", flush=True)
    print(f"\n{last_line(found)}")
    return 0 if all_as_stated(found) else 1


def _names(text: str) -> list[str]:
    found = [name for name in ATTEMPTS if text in {name, name.rpartition("-")[0]}]
    if not found:
        families = ", ".join(dict.fromkeys(name.rpartition("-")[0] for name in ATTEMPTS))
        raise argparse.ArgumentTypeError(f"{text!r} is no attempt, and none of the families {families}")
    return found


if __name__ == "__main__":
    sys.exit(main())
