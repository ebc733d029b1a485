"""A Ray cluster of several nodes on this machine, on its loopback alone, for benchmarks and tests.

The cluster is made by :mod:`ray.cluster_utils` in a process of its own, which is told what to do by lines of
JSON, and ends with its input, or with the process that started it. Its head has no processor to give, so that
every task runs on a node that can be killed. A node has a folder in which programs take the place of those
of the machine: a ``nvidia-smi`` that lists GPUs which no other node has.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pv.processes import descendants, die_with

ROOT = Path(__file__).resolve().parents[1]
NVIDIA_SMI = """\
#!/bin/sh
for number in {numbers}; do echo "{kind}, 580.95, 81559, GPU-{name}-$number"; done
"""


@dataclasses.dataclass(frozen=True)
class Node:
    """A node by its name, Ray's id of it, and the process that is its raylet."""

    name: str
    id: str
    raylet: int

    @property
    def processes(self) -> list[int]:
        """Every process that would be on its host, were it one."""
        return [self.raylet, *descendants(self.raylet)]

    def signal(self, number: signal.Signals) -> None:
        """Send all of them a signal: killed, a host that lost its power; stopped, one that is cut off."""
        for pid in self.processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        """Kill it."""
        self.signal(signal.SIGKILL)


class RayCluster:
    """A running cluster; `folder` keeps what belongs to its nodes, and `address` is for ``--set``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.nodes: dict[str, Node] = {}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.ray_cluster", str(os.getpid())],
            cwd=ROOT,
            env={
                **os.environ,
                "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
                "RAY_USAGE_STATS_ENABLED": "0",
                "PYTHONWARNINGS": "ignore",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self.address: str = self._ask({"head": True})["address"]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._process.communicate(timeout=60)

    def add(
        self, name: str, *, cpus: int = 1, gpus: int = 0, kind: str = "Fake H100, 9.0", path: str = str(ROOT)
    ) -> Node:
        """Start a node; `kind` is the name of its GPUs and their capability, `path` its ``PYTHONPATH``."""
        programs = self.folder / name
        programs.mkdir(parents=True, exist_ok=True)
        numbers = " ".join(map(str, range(gpus)))
        (programs / "nvidia-smi").write_text(NVIDIA_SMI.format(numbers=numbers, name=name, kind=kind))
        (programs / "nvidia-smi").chmod(0o755)
        variables = {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": path,
            "PV_LEASES": str(self.folder / "leases"),
        }
        answer = self._ask({"num_cpus": cpus, "num_gpus": gpus, "env_vars": variables, "node_name": name})
        node = Node(name, answer["id"], answer["raylet"])
        self.nodes[name] = node
        return node

    def end_head(self) -> None:
        """Kill the head with all that belongs to it, and so the cluster."""
        self._ask({"end": "head"})

    def _ask(self, what: dict[str, Any]) -> dict[str, Any]:
        to, back = self._process.stdin, self._process.stdout
        line = ""
        if to is not None and back is not None:
            to.write(json.dumps(what) + "\n")
            to.flush()
            line = back.readline()
        if not line:
            raise RuntimeError("the Ray cluster did not start: pip install 'pv[ray]'")
        answer: dict[str, Any] = json.loads(line)
        return answer


def main(parent: int) -> None:
    """Do what standard input says."""
    from ray.cluster_utils import Cluster

    die_with(parent)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    loopback = {"node_ip_address": "127.0.0.1", "object_store_memory": 80 << 20}
    cluster = Cluster()
    for line in sys.stdin:
        asked = json.loads(line)
        if "head" in asked:
            cluster.add_node(num_cpus=0, include_dashboard=False, dashboard_port=0, **loopback)
            answer = {"address": cluster.address}
        elif "end" in asked:
            cluster.remove_node(cluster.head_node, allow_graceful=False)
            answer = {}
        else:
            node = cluster.add_node(**loopback, **asked)
            answer = {"id": node.node_id, "raylet": node.all_processes["raylet"][0].process.pid}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    cluster.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]))
