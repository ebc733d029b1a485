"""Sweeps on a Ray cluster, killed at random moments: nothing may be lost, doubled or spoiled.

Each round sweeps forty trivial falsifiers on three nodes that have a copy of the project and no disk in
common with the engine, and kills the engine, a worker, an actor, or a node with all that runs on it; a node
that was killed is replaced. After each death of the engine the sweep is resumed. At its end every falsifier
must have one end, every record must be here and verify, nothing half written may be left, and nothing may run
on any node. An Error is right where a worker or an actor was killed, or a second node under the same check:
what one node or the engine took with it is run again. The exit code is 1 where that is not so.

    python -m benchmarks.kills_ray [KILLS] [SEED]      by default 100 kills, seed 0
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.kills import planned, record_faults
from benchmarks.ray_cluster import Node, RayCluster
from benchmarks.sweep import environment, project

COUNT = 40
LONGEST_SECONDS = 4.0
LIMIT_SECONDS = 400.0
VICTIMS = ("engine", "pv.executors.worker", "ray::Slot", "node")


def sweep(root: Path, cluster: RayCluster, there: Path) -> subprocess.Popen[str]:
    """Begin or resume."""
    begin = ["--executor", "ray", "--set", f"address={cluster.address}", "--set", f"root={there}"]
    return subprocess.Popen(
        [sys.executable, "-m", "pv", "sweep", "--json", *(["--resume"] if planned(root) else begin)],
        cwd=root,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def named(nodes: list[Node], what: str) -> list[int]:
    """Return the processes on `nodes` that are called `what`."""
    found = []
    for pid in (pid for node in nodes for pid in node.processes):
        with contextlib.suppress(OSError):
            if what.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


def kill(victim: str, engine: subprocess.Popen[str], cluster: RayCluster, choice: random.Random) -> bool:
    """Kill one of what `victim` names; return False where there is none."""
    if victim == "engine":
        engine.kill()
        return True
    if victim == "node":
        node = cluster.nodes.pop(choice.choice(sorted(cluster.nodes)))
        node.kill()
        cluster.add(f"{node.name.partition('.')[0]}.{choice.randrange(1 << 30)}", cpus=1)
        return True
    found = named([*cluster.nodes.values()], victim)
    if not found:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(choice.choice(found), signal.SIGKILL)
        return True
    return False


def faults(root: Path, cluster: RayCluster, out: str, blamed: int) -> list[str]:
    """Say what is wrong with a sweep that ended and printed `out`; empty where nothing is."""
    report: dict[str, Any] = json.loads(out)
    ended = [one["falsifier"] for one in report["results"]]
    found = []
    if len(ended) != COUNT or len(set(ended)) != COUNT:
        found.append(f"{len(ended)} ends of {len(set(ended))} falsifiers")
    (journal,) = (root / ".pv" / "sweeps").glob("*.jsonl")
    events = [json.loads(line) for line in journal.read_bytes().splitlines()]
    twice = Counter(event["end"]["address"] for event in events if event["event"] == "end")
    if any(count > 1 for count in twice.values()):
        found.append("something ended twice")
    first = [one for one in report["results"] if one["outcome"] == "Error" and not one["attempts"]]
    if set(report["counts"]) - {"Pass", "Error"} or len(first) > blamed:
        found.append(f"outcomes {report['counts']}, {blamed} workers and actors killed")
    found += record_faults(root, report)
    deadline = time.monotonic() + 20
    while named([*cluster.nodes.values()], "pv.executors.worker"):
        if time.monotonic() > deadline:
            found.append("something still runs on a node")
            break
        time.sleep(0.1)
    return found


def one_sweep(folder: Path, wanted: int, choice: random.Random) -> tuple[Counter[str], list[str]]:
    """Sweep once, killing at most `wanted` times; return who was killed, and what went wrong."""
    root, there = folder / "project", folder / "there"
    project(root, COUNT)
    shutil.copytree(root, there)
    killed: Counter[str] = Counter()
    with RayCluster(folder / "ray") as cluster:
        for name in ("ash", "beech", "cedar"):
            cluster.add(name, cpus=1)
        engine = sweep(root, cluster, there)
        limit = time.monotonic() + LIMIT_SECONDS
        while time.monotonic() < limit:
            try:
                out, _ = engine.communicate(timeout=choice.uniform(1.0, LONGEST_SECONDS))
            except subprocess.TimeoutExpired:
                if killed.total() < wanted and planned(root):
                    victim = choice.choice(VICTIMS)
                    killed[victim] += kill(victim, engine, cluster, choice)
                continue
            if engine.returncode >= 0 and out:
                blamed = killed["pv.executors.worker"] + killed["ray::Slot"]
                return killed, faults(root, cluster, out, blamed)
            engine = sweep(root, cluster, there)
        engine.kill()
        engine.wait()
        return killed, [f"not ended after {LIMIT_SECONDS:g} s"]


def main() -> None:
    """Kill until enough were killed, and print what came of it."""
    wanted, seed = ([int(word) for word in sys.argv[1:]] + [100, 0][len(sys.argv) - 1 :])[:2]
    choice = random.Random(seed)  # noqa: S311 -- moments, not secrets
    killed: Counter[str] = Counter()
    sweeps = 0
    wrong: list[str] = []
    while killed.total() < wanted:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            new, found = one_sweep(Path(folder), wanted - killed.total(), choice)
        killed += new
        wrong += found
        sweeps += 1
        print(f"sweep {sweeps}: {dict(new)} killed; {found or 'nothing wrong'}", flush=True)
    print(f"{killed.total()} killed in {sweeps} sweeps of {COUNT} ({dict(killed)}); {len(wrong)} wrong")
    print(*wrong, sep="\n")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
