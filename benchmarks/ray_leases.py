"""Leases of GPUs on a Ray cluster: four nodes, two declared GPUs each, 500 checks, and no device shared.

Each check notes which device it saw and when it had it; of no device may two spans overlap. Beside the sweep
on Ray, the first of the nodes is one of a second sweep, which knows nothing of Ray and asks for the same two
devices: there the lock by UUID alone keeps them apart. The exit code is 1 where a device was had by two, or
where the two sweeps were not under way together.

    python -m benchmarks.ray_leases [CHECKS]      by default 500
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

from benchmarks.ray_cluster import RayCluster
from benchmarks.sweep import A_CONTRACT, HEAD, environment

NODES = ("ash", "beech", "cedar", "date")
CHECK = """
    import os, time
    from pathlib import Path
    from pv.check import Metric, Run, check

    @check(metrics=[Metric("x")])
    def one(run: Run, *, log: str, value: float) -> None:
        began = time.monotonic_ns()
        time.sleep(0.02)
        device = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        Path(log, f"{os.getpid()}-{began}").write_text(f"{device or 'none'} {began} {time.monotonic_ns()}")
        run.record("x", run.role("value", value))

    @one.counter_example("less", of="value")
    def less(value: float) -> float:
        return value - 1
"""
CLAUSE = """\
- id: FALSIFY-LEASE-%05d
  rule: one is one
  prediction: it is
  if_fails: it is not
  check: leased:one
  with: {log: %s, value: 1.0}
  expect: [x >= 1]
  counter_examples: [less]
  needs: {memory: 256 MiB, timeout: 60 s, gpu: ">=8.9"}
"""


def project(root: Path, log: Path, count: int) -> None:
    """Write a project of `count` falsifiers that run twice each, on a GPU."""
    (root / "contracts").mkdir(parents=True)
    (root / "pv.toml").write_text('[project]\nsources = ["."]\n')
    (root / "leased.py").write_text(textwrap.dedent(CHECK))
    for first in range(0, count, A_CONTRACT):
        clauses = "".join(CLAUSE % (number, log) for number in range(first, min(first + A_CONTRACT, count)))
        (root / "contracts" / f"lease-{first:05}-v1.yaml").write_text(HEAD + clauses)


def spans_of(log: Path) -> dict[str, list[tuple[int, int]]]:
    """Return when each device was had, by what the runs noted."""
    spans: dict[str, list[tuple[int, int]]] = {}
    for path in log.iterdir():
        device, began, done = path.read_text().split()
        spans.setdefault(device, []).append((int(began), int(done)))
    return spans


def overlaps(*logs: dict[str, list[tuple[int, int]]]) -> list[str]:
    """Say where a device was had by two."""
    return [
        f"{device}: {(before[1] - after[0]) / 1e6:.3f} ms together"
        for device in sorted({device for log in logs for device in log})
        for before, after in itertools.pairwise(sorted(span for log in logs for span in log.get(device, ())))
        if before[1] > after[0]
    ]


def main() -> None:
    """Sweep, and print what was had when."""
    count = int([*sys.argv, "500"][1])
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name,
        RayCluster(Path(name, "ray")) as ray,
    ):
        folder = Path(name)
        for sources, log in (("project", "log"), ("other", "beside")):
            (folder / log).mkdir()
            project(folder / sources, folder / log, count)
        for node in NODES:
            ray.add(node, cpus=2, gpus=2)
        words = [sys.executable, "-m", "pv", "sweep", "--no-record"]
        began = time.perf_counter()
        sweep = subprocess.Popen(
            [*words, "--executor", "ray", "--set", f"address={ray.address}"],
            cwd=folder / "project",
            env=environment(),
            stdout=subprocess.DEVNULL,
        )
        beside = subprocess.Popen(
            [*words, "--jobs", "2"],
            cwd=folder / "other",
            env={
                **environment(),
                "PATH": f"{folder / 'ray' / NODES[0]}{os.pathsep}{os.environ['PATH']}",
                "PV_LEASES": str(folder / "ray" / "leases"),
            },
            stdout=subprocess.DEVNULL,
        )
        codes = (sweep.wait(), beside.wait())
        seconds = time.perf_counter() - began
        ours, others = spans_of(folder / "log"), spans_of(folder / "beside")
    wrong = overlaps(ours, others)
    shared = [span for device in others for span in ours.get(device, ())]
    first, last = (pick(span for spans in others.values() for span in spans) for pick in (min, max))
    together = sum(first[0] < span[0] < last[1] for span in shared)
    each = {device: len(ours[device]) for device in sorted(ours)}
    print(f"{count} checks on Ray: {sum(each.values())} runs in {seconds:.0f} s, {each}")
    print(f"{count} beside it, on {sorted(others)}, while Ray had these {together} times")
    print(f"{len(wrong)} overlap; exit codes {codes}")
    print(*wrong[:20], sep="\n")
    whole = sum(each.values()) == 2 * count and len(each) == 2 * len(NODES) and len(others) == 2
    raise SystemExit(bool(wrong or any(codes) or not whole or not together))


if __name__ == "__main__":
    main()
