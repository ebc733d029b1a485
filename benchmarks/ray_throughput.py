"""What Ray takes of the throughput of checks of one second: as many at once, here and on a cluster.

Forty checks wait for half a second twice, for the claim and for one counter-example, four at once: by four
processes of this host, and by four slots of a Ray cluster of two nodes on this machine. Printed for each are
the time from the first start to the last end, by the journal, and that of the whole command. The target is
0.9 of the local throughput; nothing fails where it is missed.

    python -m benchmarks.ray_throughput [CHECKS] [JOBS]      by default 40 and 4
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


def sweep(root: Path, jobs: int, *words: str) -> tuple[float, float]:
    """Sweep `root`; return the seconds from the first start to the last end, and those of the command."""
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
    at = {
        kind: [dt.datetime.fromisoformat(event["at"]) for event in events if event["event"] == kind]
        for kind in ("start", "end")
    }
    return (max(at["end"]) - min(at["start"])).total_seconds(), whole


def main() -> None:
    """Measure both and print the ratio."""
    count, jobs = ([int(word) for word in sys.argv[1:]] + [40, 4][len(sys.argv) - 1 :])[:2]
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
    for name, (swept, whole) in taken.items():
        rate = count / swept
        print(f"{name:>6}: {swept:6.2f} s from start to end, {rate:5.2f} a second; {whole:.2f} s in all")
    ratio, of_all = (taken["local"][part] / taken["ray"][part] for part in (0, 1))
    judged = "met" if ratio >= TARGET else "missed"
    print(f"throughput of Ray against local: {ratio:.3f}; target {TARGET}: {judged}")
    print(f"of the whole commands, with connecting: {of_all:.3f}")


if __name__ == "__main__":
    main()
