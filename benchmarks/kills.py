"""Sweeps killed at random moments: nothing may be lost, doubled, spoiled or run twice.

Each round sweeps forty trivial falsifiers with two workers and kills the engine, or one of its workers, with
SIGKILL again and again; after each death of the engine the sweep is resumed. At its end every falsifier must
have one end, none may have been begun twice, every record must verify, and nothing half written may be left.
The exit code is 1 where that is not so.

    python -m benchmarks.kills [KILLS] [SEED]      by default 100 kills, seed 0
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.sweep import children, environment, project

COUNT = 40
LONGEST_SECONDS = 2.0
WORDS = (sys.executable, "-m", "pv", "sweep", "--jobs", "2")


def planned(root: Path) -> bool:
    """Tell whether there is a sweep to resume: its plan is on the disk."""
    for path in (root / ".pv" / "sweeps").glob("*.jsonl"):
        if path.read_bytes().count(b'"event": "planned"') == COUNT:
            return True
    return False


def kill_once(root: Path, choice: random.Random) -> bool:
    """Begin or resume, and kill somebody after a while; return False where the sweep had ended by then."""
    resume = ["--resume"] if planned(root) else []
    engine = subprocess.Popen(
        [*WORDS, *resume],
        cwd=root,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(choice.uniform(0.2, LONGEST_SECONDS))
    if engine.poll() is not None:
        return False
    workers = children(engine.pid)
    victim = choice.choice([engine.pid, *workers])
    try:
        os.kill(victim, signal.SIGKILL)
    except ProcessLookupError:
        return False
    if victim != engine.pid:
        time.sleep(choice.uniform(0.0, LONGEST_SECONDS))
        engine.kill()
    engine.wait()
    return True


def record_faults(root: Path, report: Mapping[str, Any]) -> list[str]:
    """Say what is wrong with the records of a sweep that ended as `report` says, or was left behind by it."""
    found = []
    verified = subprocess.run(
        [sys.executable, "-m", "pv", "evidence", "verify"],
        cwd=root,
        env=environment(),
        capture_output=True,
        check=False,
    )
    if verified.returncode:
        found.append("a record does not verify")
    passed = {one["falsifier"].partition("#")[2] for one in report["results"] if one["outcome"] == "Pass"}
    recorded = {path.parent.name for path in (root / "evidence").rglob("live-*.json")}
    if passed - recorded:
        found.append(f"no record of {min(passed - recorded)}")
    if left := [*(root / "evidence").rglob(".*"), *(root / ".pv").rglob("*.scratch")]:
        found.append(f"left: {left[0].name}")
    return found


def faults(root: Path) -> list[str]:
    """Finish the sweep, and say what is wrong with it; empty where nothing is."""
    done = subprocess.run(
        [*WORDS, "--resume", "--json"],
        cwd=root,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    report: dict[str, Any] = json.loads(done.stdout)
    ended = [one["falsifier"] for one in report["results"]]
    (journal,) = (root / ".pv" / "sweeps").glob("*.jsonl")
    events = [json.loads(line) for line in journal.read_bytes().splitlines()]
    begun = [event["falsifier"] for event in events if event["event"] == "start"]
    found = []
    if len(ended) != COUNT or len(set(ended)) != COUNT:
        found.append(f"{len(ended)} ends of {len(set(ended))} falsifiers")
    if len(begun) != len(set(begun)):
        found.append("something was begun twice")
    if set(report["counts"]) - {"Pass", "Error"}:
        found.append(f"outcomes {report['counts']}")
    return [*found, *record_faults(root, report)]


def main() -> None:
    """Kill until enough were killed, and print what came of it."""
    wanted, seed = ([int(word) for word in sys.argv[1:]] + [100, 0][len(sys.argv) - 1 :])[:2]
    choice = random.Random(seed)  # noqa: S311 -- moments, not secrets
    killed = sweeps = 0
    wrong: list[str] = []
    while killed < wanted:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "project"
            project(root, COUNT)
            while killed < wanted and kill_once(root, choice):
                killed += 1
            if planned(root):
                sweeps += 1
                wrong += faults(root)
    print(f"{killed} killed in {sweeps} sweeps of {COUNT}; {len(wrong)} wrong")
    print(*wrong, sep="\n")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
