"""What Ray takes of the throughput of checks of one second: as many at once, here and on a cluster.

Forty checks wait for half a second twice, for the claim and for one counter-example, four at once: by four
processes of this host, and by four slots of a Ray cluster of two nodes on this machine, in turns, since
whatever else the machine does changes the one as the other. Both are timed from the end of the fourth on,
when every worker is at its second check; from the first start on; and as whole commands, which connect and
plan. The target is 0.9 of the local throughput once workers are up, by the median of the turns; nothing fails
where it is missed.

    python -m benchmarks.ray_throughput [TURNS] [CHECKS] [JOBS]      by default 3, 40 and 4
"""

from __future__ import annotations

import datetime as dt
import json
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

from benchmarks.ray_cluster import RayCluster
from benchmarks.sweep import CHECK, environment, project

TARGET = 0.9


def sweep(root: Path, jobs: int, *words: str) -> tuple[float, float, float]:
    """Sweep `root`; return checks a second of the three kinds that the head of this file tells of."""
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "pv", "sweep", "--force", "--jobs", str(jobs), *words],
        cwd=root,
        env=environment(),
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    whole = time.perf_counter() - began
    journal = max((root / ".pv" / "sweeps").glob("*.jsonl"))
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
    turns, count, jobs = ([int(word) for word in sys.argv[1:]] + [3, 40, 4][len(sys.argv) - 1 :])[:3]
    ratios: list[tuple[float, ...]] = []
    print(f"{'checks a second':>20} {'workers up':>11} {'from start':>11} {'command':>11}")
    with tempfile.TemporaryDirectory() as folder, RayCluster(Path(folder, "cluster")) as cluster:
        for node in ("ash", "beech"):
            cluster.add(node, cpus=(jobs + 1) // 2)
        words = {"local": (), "ray": ("--executor", "ray", "--set", f"address={cluster.address}")}
        for name in words:
            project(Path(folder, name), count)
            slow = CHECK.replace("run.record", "__import__('time').sleep(0.5)\n        run.record")
            Path(folder, name, "trivial.py").write_text(textwrap.dedent(slow))
        for _ in range(turns):
            taken = {name: sweep(Path(folder, name), jobs, *more) for name, more in words.items()}
            for name, rates in taken.items():
                print(f"{name:>20} " + " ".join(f"{rate:>11.2f}" for rate in rates), flush=True)
            ratios.append(tuple(r / own for r, own in zip(taken["ray"], taken["local"], strict=True)))
    medians = [statistics.median(each) for each in zip(*ratios, strict=True)]
    print(f"{'median ratio':>20} " + " ".join(f"{ratio:>11.3f}" for ratio in medians))
    print(f"Ray against local, workers up: target {TARGET}: {'met' if medians[0] >= TARGET else 'missed'}")


if __name__ == "__main__":
    main()
