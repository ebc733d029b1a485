"""How long `pv` takes to start, as a multiple of what an empty Python program takes.

Runs are paired: each round runs every command once, in turn, so that a busy moment of the machine
meets all of them. Printed are medians in milliseconds and ratios to ``python -c pass``. The target,
20 for one file, is what a pre-commit hook can take without being noticed; a slow machine does not
fail anything here, so the exit code is 0 either way.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT.parent / "shared" / "corpus"
ROUNDS = 15
TARGET = 20.0
ONE = "pv validate, one file"


def commands() -> dict[str, list[str]]:
    """Return what is timed: name → arguments of the interpreter."""
    one = str(ROOT / "contracts" / "tiny-qwen2-ship-v1.yaml")
    found = {
        "python -c pass": ["-c", "pass"],
        "pv --help": ["-m", "pv", "--help"],
        ONE: ["-m", "pv", "validate", one],
        "pv validate contracts": ["-m", "pv", "validate", str(ROOT / "contracts")],
    }
    if CORPUS.is_dir():
        count = len(list(CORPUS.glob("*.yaml")))
        found[f"pv validate, {count} other files"] = ["-m", "pv", "validate", str(CORPUS)]
    return found


def seconds(arguments: list[str]) -> float:
    """Return the wall time of one run of the interpreter, in seconds."""
    paths = [str(ROOT), str(ROOT / "runtime"), str(ROOT / "kernels")]
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return time.perf_counter() - started


def main() -> None:
    """Time every command and print the table."""
    chosen = commands()
    times: dict[str, list[float]] = {name: [] for name in chosen}
    for arguments in chosen.values():
        seconds(arguments)  # the first run compiles and fills the file cache
    for number in range(ROUNDS):
        for name, arguments in chosen.items():
            # A folder takes seconds where a file takes a tenth of one: three rounds are enough.
            if "other files" in name and number >= 3:
                continue
            times[name].append(seconds(arguments))
    floor = statistics.median(times["python -c pass"])
    for name, taken in times.items():
        median = statistics.median(taken)
        print(f"{name:<32} {median * 1e3:9.1f} ms   {median / floor:7.1f} x")
    ratio = statistics.median(times[ONE]) / floor
    judged = "met" if ratio <= TARGET else "missed"
    print(f"\none file: {ratio:.1f} times `python -c pass`; target {TARGET:.0f}: {judged}")


if __name__ == "__main__":
    main()
