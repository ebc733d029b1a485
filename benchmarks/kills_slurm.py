"""Sweeps by a real Slurm, disturbed at random: nothing may be lost, doubled or spoiled.

Each round sweeps thirty trivial falsifiers, four jobs at a time, on a Slurm of one node that it starts, and
disturbs it: the engine is killed and the sweep resumed, a job is requeued or killed, slurmctld is stopped
and started again. At its end every falsifier must have one end, which is a Pass unless Slurm says that its
job is over; every record must verify; nothing half written and no job may be left. The exit code is 1 where
that is not so.

    python -m benchmarks.kills_slurm [TIMES] [SEED]      by default 100, seed 0; needs slurm-wlm, root
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.sweep import environment, project
from tests.pv.executors.slurm_cluster import Cluster, until

COUNT = 30
LONGEST_SECONDS = 3.0
FINISH_SECONDS = 400.0
WORDS = (sys.executable, "-m", "pv", "sweep")
NEW = ("--executor", "slurm", "--jobs", "4", "--set", "patience=90")
DISTURBANCES = ("engine", "engine", "requeue", "controller", "job")


class Round:
    """One sweep, and what was done to it."""

    def __init__(self, root: Path, cluster: Cluster, choice: random.Random) -> None:
        self.root = root
        self.cluster = cluster
        self.choice = choice
        self.environment = {**environment(), "SLURM_CONF": str(cluster.settings), "PATH": cluster.path}
        self.engine = self._start()
        self.done: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        """Why those ended in Error of whose jobs Slurm said that they were over."""

    def _start(self) -> subprocess.Popen[bytes]:
        begun = [*(self.root / ".pv" / "sweeps").glob("*.jsonl")]
        planned = any(path.read_bytes().count(b'"event": "planned"') == COUNT for path in begun)
        return subprocess.Popen(
            [*WORDS, *(["--resume"] if planned else NEW)],
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def disturb(self) -> bool:
        """Do something after a while; return False where the sweep had ended by then."""
        time.sleep(self.choice.uniform(0.2, LONGEST_SECONDS))
        self.cluster.resume_node()  # the one node cannot have a job twice, and is drained when one comes back
        if self.engine.poll() is not None:
            return False
        what = self.choice.choice(DISTURBANCES)
        running = [job for job, state in self.cluster.jobs().items() if state == "RUNNING"]
        if what == "engine":
            self.engine.kill()
            self.engine.wait()
            time.sleep(self.choice.uniform(0.0, LONGEST_SECONDS))
            self.engine = self._start()
        elif what == "controller":
            self.cluster.stop_controller()
            time.sleep(self.choice.uniform(0.0, LONGEST_SECONDS))
            self.cluster.start_controller()
        elif running:
            job = self.choice.choice(running)
            words = ["scontrol", "requeue", job] if what == "requeue" else ["scancel", "--signal=KILL", job]
            subprocess.run(words, env=self.cluster.environment, capture_output=True, check=False)
        else:
            return True
        self.done[what] += 1
        return True

    def faults(self) -> list[str]:
        """Finish the sweep, and say what is wrong with it; empty where nothing is."""
        deadline = time.monotonic() + FINISH_SECONDS
        while self.engine.poll() is None:
            if time.monotonic() > deadline:
                self.engine.kill()
                return [f"it did not finish; {self.cluster.node()}, {self.cluster.jobs()}"]
            self.cluster.resume_node()
            time.sleep(1)
        report = json.loads(self._pv("sweep", "--resume", "--json").stdout)
        ended = [one["falsifier"] for one in report["results"]]
        found = []
        if len(ended) != COUNT or len(set(ended)) != COUNT:
            found.append(f"{len(ended)} ends of {len(set(ended))} falsifiers")
        # Not only those that we killed: a controller that was restarted may have cancelled others itself.
        broken = [one for one in report["results"] if one["outcome"] != "Pass"]
        self.lost = Counter(one["message"] for one in broken)
        if wrong := [one for one in broken if not one["message"].startswith("its job ")]:
            found.append(f"{len(wrong)} did not pass, such as {wrong[0]['message']}")
        if self._pv("evidence", "verify").returncode:
            found.append("a record does not verify")
        passed = {one["falsifier"].partition("#")[2] for one in report["results"] if one["outcome"] == "Pass"}
        recorded = {path.parent.name for path in (self.root / "evidence").rglob("live-*.json")}
        if passed - recorded:
            found.append(f"no record of {min(passed - recorded)}")
        if left := [*(self.root / "evidence").rglob(".*"), *(self.root / ".pv").rglob("*.scratch")]:
            found.append(f"left: {left[0].name}")
        try:
            until(lambda: not {"RUNNING", "PENDING"} & {*self.cluster.jobs().values()}, "an empty queue")
        except AssertionError:
            found.append("a job was left")
        return found

    def _pv(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pv", *words],
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )


def main() -> None:
    """Disturb until it was often enough, and print what came of it."""
    wanted, seed = ([int(word) for word in sys.argv[1:]] + [100, 0][len(sys.argv) - 1 :])[:2]
    choice = random.Random(seed)  # noqa: S311 -- moments, not secrets
    total: Counter[str] = Counter()
    sweeps = 0
    lost: Counter[str] = Counter()
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(Path(folder) / "slurm")
        try:
            cluster.start()
            while total.total() < wanted:
                root = Path(folder) / f"project-{sweeps}"
                project(root, COUNT)
                one = Round(root, cluster, choice)
                while total.total() + one.done.total() < wanted and one.disturb():
                    pass
                sweeps += 1
                wrong += one.faults()
                total += one.done
                lost += one.lost
        finally:
            cluster.stop()
    told = ", ".join(f"{count} {what}" for what, count in sorted(total.items()))
    print(f"{total.total()} disturbances ({told}) in {sweeps} sweeps of {COUNT}")
    print(f"{lost.total()} jobs lost, {len(wrong)} wrong")
    print(*(f"    {count} times: {why}" for why, count in lost.most_common()), sep="\n")
    print(*wrong, sep="\n")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
