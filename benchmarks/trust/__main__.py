"""``make trust``, or ``python -m benchmarks.trust [PART...]``: what is promised of evidence, measured.

One line a part: what was done, how often, what came of it, and what was wanted. Everything is really run;
with ``--quick`` less often, which shows that it works and meets no figure. Ends with 1 unless all are met.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence

from benchmarks.trust.parts import PARTS, Scale

WHOLE = Scale(fuzz_seconds=100.0, every=1, kills=10_000, signatures=1_000, trials=200, families=None)
QUICK = Scale(fuzz_seconds=1.0, every=40, kills=200, signatures=200, trials=20, families=("status", "record"))


def main(words: Sequence[str] | None = None) -> int:
    """Run all parts, or those that are named, and print a line for each as it ends."""
    parser = argparse.ArgumentParser(prog="benchmarks.trust", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"only these: {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="a small part of each")
    given = parser.parse_args(words)
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"no part is called {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    names = given.parts or list(PARTS)
    if len(names) > 1:
        return _each_alone(names, quick=given.quick)
    met = True
    for name in names:
        began = time.monotonic()
        for line in PARTS[name](QUICK if given.quick else WHOLE):
            word = "met " if line.met else "small" if given.quick and line.right else "MISSED"
            met &= line.met or (given.quick and line.right)
            print(f"{word:6}  {line.what}: {line.came}  (wanted: {line.wanted})", flush=True)
            for detail in line.details[:10]:
                print(f"            {detail}")
        print(f"          {name}: {time.monotonic() - began:.0f} s", flush=True)
    return 0 if met else 1


def _each_alone(names: Sequence[str], *, quick: bool) -> int:
    """Run each part in a process of its own: what one has loaded makes the forks of another slow."""
    program = [sys.executable, "-m", "benchmarks.trust", *(["--quick"] if quick else [])]
    ended = [subprocess.run([*program, name], check=False).returncode for name in names]
    return 1 if any(ended) else 0


if __name__ == "__main__":
    sys.exit(main())
