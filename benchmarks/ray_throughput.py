"""What Ray takes of the throughput of checks of one second: as many at once, here and on a cluster.

Sixty checks wait for half a second twice, for the claim and for one counter-example, four at once: by four
processes of this host, and by four slots of a Ray cluster of two nodes on this machine. Both are timed from
the end of the fourth on, when every worker is at its second check; from the first start on; and as whole
commands, which connect and plan. The target is 0.9 of the local throughput once workers are up; nothing fails
where it is missed.

    python -m benchmarks.ray_throughput [CHECKS] [JOBS]      by default 60 and 4
"""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.ray_cluster import RayCluster
from benchmarks.sweep import CHECK, environment, project

TARGET = 0.9


def sweep(root: Path, jobs: int, *words: str) -> tuple[float, float, float]:
    """Sweep `root`; return checks a second of the three kinds that the head of this file tells of."""
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "pv", "sweep", "--jobs", str(jobs), *words],
        cwd=root,
        env=environment(),
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    whole = time.perf_counter() - began
    (journal,) = (root / ".pv" / "sweeps").glob("*.jsonl")
    events = [json.loads(line) for line in journal.read_bytes().splitlines()]
    starts, ends = (
        sorted(dt.datetime.fromisoformat(event["at"]) for event in events if event["event"] == kind)
        for kind in ("start", "end")
    )
    count = len(ends)
    steady = (count - jobs) / (ends[-1] - ends[jobs - 1]).total_seconds()
    return steady, count / (ends[-1] - starts[0]).total_seconds(), count / whole


def main() -> None:
    """Measure both and print the ratios."""
    count, jobs = ([int(word) for word in sys.argv[1:]] + [60, 4][len(sys.argv) - 1 :])[:2]
    taken = {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for name in ("local", "ray"):
            project(Path(folder, name), count)
            slow = CHECK.replace("run.record", "__import__('time').sleep(0.5)\n        run.record")
            Path(folder, name, "trivial.py").write_text("\n".join(line[4:] for line in slow.splitlines()))
        taken["local"] = sweep(Path(folder, "local"), jobs)
        with RayCluster(Path(folder, "cluster")) as cluster:
            for node in ("ash", "beech"):
                cluster.add(node, cpus=(jobs + 1) // 2)
            words = ("--executor", "ray", "--set", f"address={cluster.address}")
            taken["ray"] = sweep(Path(folder, "ray"), jobs, *words)
    print(f"{'checks a second':>20} {'workers up':>11} {'from start':>11} {'command':>11}")
    for name, rates in taken.items():
        print(f"{name:>20} " + " ".join(f"{rate:>11.2f}" for rate in rates))
    ratios = [rays / local for rays, local in zip(taken["ray"], taken["local"], strict=True)]
    print(f"{'ratio':>20} " + " ".join(f"{ratio:>11.3f}" for ratio in ratios))
    print(f"Ray against local, workers up: target {TARGET}: {'met' if ratios[0] >= TARGET else 'missed'}")


if __name__ == "__main__":
    main()
