"""What runs on the nodes of a Ray cluster: an actor a slot, with a worker process that stays, of its own.

Between here and :mod:`pv.executors.ray_driver` there is text in JSON. The worker is a child of the actor and
dies with it; what it runs dies with the worker. So an actor that Ray ends leaves nothing behind but scratch.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pv.config import load_config
from pv.errors import PvError
from pv.evidence import remove_partial
from pv.executors.local import LocalExecutor
from pv.host import gpus

__all__ = ["Slot"]


class Slot:
    """Discharges one falsifier at a time, on the node that it was placed on.

    Parameters
    ----------
    given
        JSON: ``root``, the project on this node; ``options``, as in :class:`pv.executors.protocol.Setup`;
        ``gpu``, whether Ray gave it one.
    """

    def __init__(self, given: str) -> None:
        self._given: Mapping[str, Any] = json.loads(given)
        self._root = Path(self._given["root"])
        self._scratch = self._root / ".pv" / f"ray-{socket.gethostname()}-{os.getpid()}"
        self._worker: LocalExecutor | None = None
        self._address = ""

    def greet(self) -> str:
        """Get ready, and return ``{"node", "refused"}``: the node's id, and why there can be no work here."""
        import ray

        refused = ""
        try:
            if load_config(self._root).root != self._root.resolve():
                refused = f"{self._root} is no project"
        except (PvError, OSError) as error:
            refused = f"{self._root}: {error}"
        if not refused:
            _remove_scratch_of_the_dead(self._root / ".pv")
            # A number means another device to whoever counts otherwise; a UUID means one.
            os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(gpu.uuid for gpu in self._gpus())
            self._worker = LocalExecutor(1, self._root, self._scratch, self._given["options"], carry=True)
        return json.dumps({"node": ray.get_runtime_context().get_node_id(), "refused": refused})

    def start(self, task: str) -> str:
        """Begin `task`, and return at once: whoever hears nothing of it knows that it did not begin."""
        assert self._worker is not None  # noqa: S101 -- it was greeted
        begun = json.loads(task)
        self._address = begun["address"]
        if why := self._differs(begun):
            return json.dumps([{"task": self._address, "kind": "lost", "why": why, "detail": ""}])
        self._remove_partial()
        self._worker.start(begun)
        return json.dumps([])

    def wait(self, seconds: float) -> str:
        """Return the events that happened, as a list, once there is one or `seconds` have passed."""
        assert self._worker is not None  # noqa: S101 -- it was greeted
        events = self._worker.wait(seconds)
        if any(event["kind"] == "lost" for event in events):
            self._remove_partial()
        return json.dumps(events)

    def end(self) -> None:
        """End the worker, and leave nothing here but evidence."""
        if self._worker is not None:
            self._worker.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _remove_partial(self) -> None:
        """Remove what a worker that was killed had half written."""
        stem, _, identifier = self._address.rpartition("#")
        remove_partial(load_config(self._root).evidence, stem, identifier)

    def _gpus(self) -> Sequence[Any]:
        gpus.cache_clear()  # Ray runs an actor in a process that may have had other GPUs before
        return gpus() if self._given["gpu"] else ()

    def _differs(self, task: Mapping[str, Any]) -> str:
        """Say that the contract is not that of the engine; empty where it is."""
        try:
            here = hashlib.sha256((self._root / task["path"]).read_bytes()).hexdigest()
        except OSError as error:
            here = str(error.strerror)
        if here == task["sha256"]:
            return ""
        return (
            f"{task['path']} on {socket.gethostname()} in {self._root} is not that of the engine"
            " (bring the project there to the same state, with git or rsync)"
        )


def _remove_scratch_of_the_dead(folder: Path) -> None:
    """Remove what actors of this host left that were killed."""
    for path in folder.glob(f"ray-{socket.gethostname()}-*"):
        if not Path("/proc", path.name.rpartition("-")[2]).exists():
            shutil.rmtree(path, ignore_errors=True)
