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
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT.parent / "shared" / "corpus"
ROUNDS = 15
TARGET = 20.0
ONE = "pv validate, one file"
"""A contract with claims, so that its evidence is verified too; `PLAIN` claims nothing."""
PLAIN = "pv validate, no claims"


def commands() -> dict[str, list[str]]:
    """Return what is timed: name → arguments of the interpreter."""
    one = str(ROOT / "contracts" / "tiny-qwen2-ship-v1.yaml")
    found = {
        "python -c pass": ["-c", "pass"],
        "pv --help": ["-m", "pv", "--help"],
        PLAIN: ["-m", "pv", "validate", str(ROOT / "tests/pv/rules/resources/SCHEMA-001.good.yaml")],
        ONE: ["-m", "pv", "validate", one],
        "pv validate contracts": ["-m", "pv", "validate", str(ROOT / "contracts")],
    }
    if CORPUS.is_dir():
        count = len(list(CORPUS.glob("*.yaml")))
        found[f"pv validate, {count} other files"] = ["-m", "pv", "validate", str(CORPUS)]
    return found


def environment(bytecode: str) -> dict[str, str]:
    """Return an environment in which modules are compiled once, as they are for an installed package.

    No run is remembered: what a remembered one takes, `benchmarks/contracts.py` measures.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    paths = [str(ROOT), str(ROOT / "runtime"), str(ROOT / "kernels")]
    kept |= {"PYTHONPATH": os.pathsep.join(paths), "PYTHONPYCACHEPREFIX": bytecode}
    return kept | {"PV_NO_CACHE": "1"}


def seconds(arguments: list[str], variables: dict[str, str]) -> float:
    """Return the wall time of one run of the interpreter, in seconds."""
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments],
        env=variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return time.perf_counter() - started


def measure(chosen: dict[str, list[str]], variables: dict[str, str]) -> dict[str, list[float]]:
    """Run every command in turn, `ROUNDS` times; return the wall times in seconds by name."""
    for arguments in chosen.values():
        seconds(arguments, variables)  # the first run compiles, and fills the file cache
    times: dict[str, list[float]] = {name: [] for name in chosen}
    for _ in range(ROUNDS):
        for name, arguments in chosen.items():
            times[name].append(seconds(arguments, variables))
    return times


def main() -> None:
    """Time every command and print the table."""
    with tempfile.TemporaryDirectory() as bytecode:
        times = measure(commands(), environment(bytecode))
    floor = statistics.median(times["python -c pass"])
    for name, taken in times.items():
        median = statistics.median(taken)
        print(f"{name:<32} {median * 1e3:9.1f} ms   {median / floor:7.1f} x")
    ratio = statistics.median(times[ONE]) / floor
    judged = "met" if ratio <= TARGET else "missed"
    print(f"\none file: {ratio:.1f} times `python -c pass`; target {TARGET:.0f}: {judged}")


if __name__ == "__main__":
    main()
