"""What a sweep costs besides its checks, and whether that grows: trivial falsifiers, two at a time.

A falsifier here is two runs (the claim and one counter-example) of a check that records one number. Printed
for each count: wall time a falsifier; the processor's time of the engine, which is the planner, the journal
and the two workers, without the processes that checks run in; the same runs without an engine, as the floor;
and the most memory that the engine held. The target of 10 ms is for the engine's time, which other processes
on the machine add little to; nothing fails where it is missed.

    python benchmarks/sweep.py [COUNT ...]      by default 100 and 1000
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET_MS = 10.0
A_CONTRACT = 20
JOBS = 2
TICKS = os.sysconf("SC_CLK_TCK")
CHECK = """
    from pv.check import Metric, Run, check

    @check(metrics=[Metric("x")])
    def one(run: Run, *, value: float) -> None:
        run.record("x", run.role("value", value))

    @one.counter_example("less", of="value")
    def less(value: float) -> float:
        return value - 1
"""
HEAD = """\
metadata: {version: 1.0.0, description: trivial, references: [none], kind: pattern}
falsification_tests:
"""
CLAUSE = """\
- id: FALSIFY-TRIVIAL-%05d
  rule: one is one
  prediction: it is
  if_fails: it is not
  check: trivial:one
  with: {value: 1.0}
  expect: [x >= 1]
  counter_examples: [less]
  needs: {memory: 256 MiB, timeout: 60 s}
"""
FLOOR = """
    import sys, time
    from pathlib import Path
    from pv.check import Metric
    from pv.jobs import Job, Limits
    from pv.runner import Runner

    root, count = sys.argv[1], int(sys.argv[2])
    job = Job("trivial:one", (Metric("x"),), {"value": 1.0}, {}, Limits(1 << 28, 60.0), 0, "cpu", "live",
              project=root, sources=(root,), modules=("trivial",))
    with Runner(Path(root, ".pv")) as runner:
        runner.run(job)
        began = time.perf_counter()
        for _ in range(2 * count):
            runner.run(job)
        print((time.perf_counter() - began) / count)
"""


def project(root: Path, count: int) -> None:
    """Write a project of `count` falsifiers in contracts of twenty."""
    (root / "contracts").mkdir(parents=True)
    (root / "pv.toml").write_text('[project]\nsources = ["."]\n')
    (root / "trivial.py").write_text(textwrap.dedent(CHECK))
    for first in range(0, count, A_CONTRACT):
        clauses = "".join(CLAUSE % number for number in range(first, min(first + A_CONTRACT, count)))
        (root / "contracts" / f"trivial-{first:05}-v1.yaml").write_text(HEAD + clauses)


def environment() -> dict[str, str]:
    """Return the variables under which the engine of this tree is found."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def used(pid: int) -> tuple[float, int]:
    """Return the processor's seconds and the resident bytes of one process; nothing of one that is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0, 0
    return (int(fields[11]) + int(fields[12])) / TICKS, int(fields[21]) * os.sysconf("SC_PAGE_SIZE")


def workers(pid: int) -> list[int]:
    """Return the children of the engine that discharge falsifiers."""
    found = []
    for child in children(pid):
        try:
            if b"pv.executors.worker" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(child)
        except OSError:
            continue
    return found


def children(pid: int) -> list[int]:
    """Return the children of a process; none of one that is gone."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def sweep(root: Path) -> tuple[float, float, int]:
    """Sweep `root`; return the wall time, the engine's processor time (both seconds), and its peak bytes."""
    began = time.perf_counter()
    engine = subprocess.Popen(
        [sys.executable, "-m", "pv", "sweep", "--jobs", str(JOBS)],
        cwd=root,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    taken: dict[int, float] = {}
    peak = 0
    while engine.poll() is None:
        now = {pid: used(pid) for pid in (engine.pid, *workers(engine.pid))}
        taken |= {pid: seconds for pid, (seconds, _) in now.items() if seconds}
        peak = max(peak, sum(size for _, size in now.values()))
        time.sleep(0.2)
    if engine.returncode:
        raise SystemExit(f"the sweep ended with {engine.returncode}")
    return time.perf_counter() - began, sum(taken.values()), peak


def floor(root: Path, count: int) -> float:
    """Return the wall time of the two runs of one falsifier, one after the other, in seconds."""
    program = textwrap.dedent(FLOOR)
    done = subprocess.run(
        [sys.executable, "-c", program, str(root), str(count)],
        cwd=root,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def main() -> None:
    """Measure each count and print the table."""
    counts = [int(word) for word in sys.argv[1:]] or [100, 1000]
    print(f"{'falsifiers':>10} {'wall':>10} {'engine':>10} {'runs alone':>11} {'ratio':>7} {'memory':>9}")
    each: dict[int, float] = {}
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "project"
            project(root, count)
            wall, engine, peak = sweep(root)
            runs = floor(root, min(count, 100))
        each[count] = engine / count
        print(
            f"{count:>10} {wall / count * 1e3:>7.1f} ms {engine / count * 1e3:>7.1f} ms {runs * 1e3:>8.1f} ms"
            f" {engine / count / runs:>6.2f}x {peak >> 20:>5} MiB",
            flush=True,
        )
    most = max(counts)
    judged = "met" if each[most] * 1e3 <= TARGET_MS else "missed"
    print(
        f"\nengine time a falsifier, of {most}: {each[most] * 1e3:.1f} ms; target {TARGET_MS:.0f}: {judged}"
    )
    if len(counts) > 1:
        print(f"a falsifier of {most} against one of {min(counts)}: {each[most] / each[min(counts)]:.2f}x")


if __name__ == "__main__":
    main()
