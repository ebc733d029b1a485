"""The nodes of a Ray cluster: which are alive, what they have, and whether the engine there is ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from pv import __version__
from pv.errors import ConfigError
from pv.semantics import SEMANTICS

__all__ = ["Nodes"]

_PROBE_SECONDS = 60.0


class Nodes:
    """What is known of the nodes; `cpus` is how many processors a task takes, `root` the project on each."""

    def __init__(self, cpus: float, root: str) -> None:
        self._cpus = cpus
        self._root = root
        self._alive: dict[str, Mapping[str, Any]] = {}
        self._gpus: dict[str, list[dict[str, Any]]] = {}
        self._best: tuple[tuple[int, ...], str] | None = None

    def look(self) -> bool:
        """Ask which are alive, and those that are new what they are; return whether anything changed.

        Raises
        ------
        ConfigError
            A new one has no engine, or another than ours, or no project, or does not answer.
        """
        found = {node["NodeID"]: node for node in ray.nodes() if node["Alive"]}
        if found.keys() == self._alive.keys():
            return False
        self._gpus = {node: gpus for node, gpus in self._gpus.items() if node in found}
        asked = {
            node: _ask.options(
                num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)
            ).remote(self._root)
            for node in found.keys() - self._alive.keys()
        }
        self._alive = found
        if asked:
            ray.wait([*asked.values()], num_returns=len(asked), timeout=_PROBE_SECONDS)
        for node, answer in asked.items():
            try:
                about = json.loads(ray.get(answer, timeout=0))
            except ray.exceptions.GetTimeoutError:
                raise ConfigError(
                    f"node {self.name(node)} of the cluster does not answer",
                    remedy="see `ray status`, and stop that node or mend it",
                ) from None
            except ray.exceptions.RayError:
                del self._alive[node]  # it went away again, or is not there yet: the next look tells
                continue
            self._compare(node, about)
            self._gpus[node] = about["gpus"][: int(found[node]["Resources"].get("GPU", 0))]
        return True

    def name(self, node: str) -> str:
        """Return what people call a node, and the beginning of its id: several may be on one host."""
        known = self._alive.get(node) or next((one for one in ray.nodes() if one["NodeID"] == node), {})
        address, called = known.get("NodeManagerAddress", ""), known.get("NodeName", "")
        shown = called if called and called != address else known.get("NodeManagerHostname", "")
        return f"{shown} ({node[:8]})"

    def is_alive(self, node: str) -> bool:
        """Tell whether the last look saw `node`."""
        return node in self._alive

    @property
    def gpus(self) -> list[dict[str, Any]]:
        """The fields of :class:`pv.host.Gpu` of every GPU that a task may get.

        They are of one kind, that of the highest capability when they were first seen: whoever asks Ray for a
        GPU cannot say for which, and on a lesser one a check would be judged at a lower level than planned.
        """
        return [gpu for node in self.homes for gpu in self._gpus[node]]

    @property
    def homes(self) -> list[str]:
        """The nodes with these GPUs, and no others."""
        kinds = {node: {_kind(gpu) for gpu in gpus} for node, gpus in self._gpus.items()}
        pure = {node: next(iter(found)) for node, found in kinds.items() if len(found) == 1}
        self._best = self._best or max(pure.values(), default=None)
        return sorted(node for node, kind in pure.items() if kind == self._best)

    @property
    def are_mixed(self) -> bool:
        """Whether there are GPUs of another kind, or such as nobody could describe."""
        return any(
            node not in self.homes and has["Resources"].get("GPU") for node, has in self._alive.items()
        )

    def gpus_of(self, node: str) -> int:
        """Return how many GPUs `node` has."""
        return len(self._gpus.get(node, ()))

    @property
    def slots(self) -> int:
        """How many tasks have room; 0 where none has."""
        processors = sum(int(n["Resources"].get("CPU", 0) // self._cpus) for n in self._alive.values())
        return max(processors, len(self.gpus))

    def can_take(self, kind: str) -> bool:
        """Tell whether any node that is alive could run a task of `kind`, were it idle."""
        if kind == "gpu":
            return bool(self.homes)
        return any(node["Resources"].get("CPU", 0) >= self._cpus for node in self._alive.values())

    def _compare(self, node: str, about: Mapping[str, Any]) -> None:
        ours = f"pv {__version__}, semantics {SEMANTICS}"
        theirs = f"pv {about['pv']}, semantics {about['semantics']}" if about["pv"] else "no pv"
        if theirs != ours:
            raise ConfigError(
                f"node {self.name(node)} of the cluster has {theirs}; here is {ours}",
                remedy=f"on that node: {about['python']} -m pip install 'pv[ray]=={__version__}'",
            )
        if not about["project"] and self._can_work(node):
            raise ConfigError(
                f"node {self.name(node)} of the cluster has no project in {self._root}",
                remedy="put a copy of this one there, and say where with executors.ray.root",
            )

    def _can_work(self, node: str) -> bool:
        has = self._alive[node]["Resources"]
        return bool(has.get("GPU", 0) >= 1 or has.get("CPU", 0) >= self._cpus)


def _kind(gpu: Mapping[str, Any]) -> tuple[tuple[int, ...], str]:
    return tuple(int(part) for part in gpu["capability"].split(".")), gpu["name"]


def _remote() -> Any:
    def ask(root: str) -> str:
        """Say what this node is. It travels as code: an engine that is not there has none to import."""
        import json
        import os
        import sys
        from pathlib import Path

        about: dict[str, Any] = {"pv": "", "semantics": 0, "python": sys.executable, "gpus": []}
        about["project"] = Path(root, "pv.toml").is_file()
        # Older versions of Ray hide all GPUs from what asks for none.
        hidden = os.environ.get("CUDA_VISIBLE_DEVICES") == ""
        if hidden:
            del os.environ["CUDA_VISIBLE_DEVICES"]
        try:
            from pv import __version__
            from pv.host import gpus
            from pv.semantics import SEMANTICS

            gpus.cache_clear()
            found = [dict(vars(gpu)) for gpu in gpus()]
            about |= {"pv": __version__, "semantics": SEMANTICS, "gpus": found}
        except ImportError:
            pass
        finally:
            if hidden:
                os.environ["CUDA_VISIBLE_DEVICES"] = ""
        return json.dumps(about)

    remote: Callable[..., Any] = ray.remote(ask)
    return remote


_ask = _remote()
