"""Run tasks on the nodes of a Ray cluster, for a handful of hosts.

What speaks with Ray is a process of its own, :mod:`pv.executors.ray_driver`. Ray ends all actors of a driver
that dies, and the driver dies with the engine: so nothing runs on once the engine is gone, however that was.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import math
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pv.errors import ConfigError, PvError
from pv.executors.local import environment
from pv.executors.protocol import Event, Setup, Task
from pv.host import Gpu

__all__ = ["SETTINGS", "RayExecutor", "make_executor"]

_CONNECT_SECONDS = 180.0
_SILENCE_SECONDS = 120.0
"""The driver says something every few seconds, unless it waits for a cluster that does not answer."""
_CLOSE_SECONDS = 20.0
_DETAIL_BYTES = 1 << 12


def _address(text: str) -> str:
    if not text or "://" in text:
        raise ValueError("it is auto, local, or HOST:PORT of the cluster's head")
    return text


def _folder(text: str) -> str:
    if not Path(text).is_absolute():
        raise ValueError(f"{text!r} is not an absolute path")
    return text


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise ValueError(f"{text} is not a positive number")
    return value


SETTINGS: Mapping[str, Callable[[str], Any]] = {
    "address": _address,
    "root": _folder,
    "cpus": _positive,
    "patience": _positive,
}
"""What the section of this executor may hold; docs/configuration.md says what it means."""


def make_executor(setup: Setup) -> RayExecutor:
    """Return an executor that is connected to the cluster which the settings name.

    Raises
    ------
    ConfigError
        Ray is not installed, there is no cluster, or one of its nodes has no engine that does for ours.
    """
    if importlib.util.find_spec("ray") is None:
        raise ConfigError("--executor ray needs Ray", remedy="pip install 'pv[ray]', here and on every node")
    device = str(setup.options.get("device", "auto"))
    if ":" in device:
        raise ConfigError(
            f"--device {device} is a GPU of one host, and Ray chooses the host",
            remedy="ask for --device cuda",
        )
    return RayExecutor(setup)


class RayExecutor:
    """An :class:`~pv.executors.protocol.Executor` of a Ray cluster; it has connected once it is made."""

    def __init__(self, setup: Setup) -> None:
        self._root = setup.root
        self._slots = 1
        self._gpus: tuple[Gpu, ...] = ()
        self._line = bytearray()
        self._refusal: dict[str, Any] | None = None
        self._heard = time.monotonic()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  closed with the driver
        self._driver = subprocess.Popen(
            # -P: what lies in the folder that the command is run in must not stand for a library.
            [sys.executable, "-P", "-m", "pv.executors.ray_driver", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            cwd="/",  # Ray has every node look for modules in the driver's working folder
            env=environment(),
            start_new_session=True,  # an interrupt is the engine's to handle
        )
        self._closed = False
        try:
            self._send(
                {
                    "address": setup.settings.get("address", "auto"),
                    "root": setup.settings.get("root", str(setup.root)),
                    "cpus": setup.settings.get("cpus", 1.0),
                    "patience": setup.settings.get("patience", 600.0),
                    "jobs": setup.jobs,
                    "options": dict(setup.options),
                }
            )
            deadline = time.monotonic() + _CONNECT_SECONDS
            while not (messages := self._read(1.0)):
                if time.monotonic() > deadline:
                    raise ConfigError(
                        f"the Ray cluster did not answer within {_CONNECT_SECONDS:g} s",
                        remedy="see `ray status`; executors.ray.address names another cluster",
                    )
            for message in messages:
                self._take(message)
            if self._refusal is not None:
                raise ConfigError(self._refusal["what"], remedy=self._refusal["remedy"])
        except BaseException:
            self.close()
            raise

    @property
    def slots(self) -> int:
        """How many tasks have room on the nodes that are alive."""
        return self._slots

    @property
    def gpus(self) -> Sequence[Gpu]:
        """The GPUs of the nodes that are alive."""
        return self._gpus

    @property
    def elsewhere(self) -> bool:
        """Whether tasks run on other hosts: they do."""
        return True

    def adopt(self, task: Task) -> bool:  # noqa: ARG002  its actors died with the engine
        """Take over a task of a dead engine: there is none."""
        return False

    def start(self, task: Task) -> None:
        """Give `task` to an actor."""
        try:
            digest = hashlib.sha256((self._root / task["path"]).read_bytes()).hexdigest()
        except OSError:
            digest = ""  # the node says what is wrong with it
        self._send({**task, "sha256": digest})

    def wait(self, seconds: float) -> Sequence[Event]:
        """Return what happened, once something did or `seconds` have passed.

        Raises
        ------
        PvError
            The cluster is gone, or has no node left that could run anything: the sweep is to be resumed.
        """
        if self._refusal is not None:
            raise PvError(self._refusal["what"], remedy=self._refusal["remedy"])
        taken = [self._take(message) for message in self._read(seconds)]
        if time.monotonic() - self._heard > _SILENCE_SECONDS:
            raise PvError(
                f"the Ray cluster has not answered for {_SILENCE_SECONDS:g} s", remedy=self._remedy()
            )
        return [event for event in taken if event is not None]

    def close(self) -> None:
        """End what runs on the nodes, and the driver."""
        if self._closed:
            return
        self._closed = True
        if self._driver.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._driver.stdin.close()
        try:
            self._driver.wait(_CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._driver.kill()  # and Ray ends its actors
            self._driver.wait()
        if self._driver.stdout is not None:
            self._driver.stdout.close()
        self._said.close()

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self._driver.stdin is not None  # noqa: S101 -- it was opened with a pipe
        # One that has died is noticed where its events are read.
        with contextlib.suppress(BrokenPipeError):
            self._driver.stdin.write(json.dumps(message).encode() + b"\n")
            self._driver.stdin.flush()

    def _read(self, seconds: float) -> list[dict[str, Any]]:
        assert self._driver.stdout is not None  # noqa: S101 -- it was opened with a pipe
        output = self._driver.stdout.fileno()
        if not select.select([output], [], [], seconds)[0]:
            return []
        data = os.read(output, 1 << 20)
        if not data:
            raise PvError(
                f"the connection to the Ray cluster broke{self._last_words()}", remedy=self._remedy()
            )
        self._heard = time.monotonic()
        self._line += data
        if b"\n" not in data:
            return []
        *lines, rest = self._line.split(b"\n")
        self._line = bytearray(rest)
        return [json.loads(line) for line in lines]

    def _take(self, message: dict[str, Any]) -> Event | None:
        kind = message["kind"]
        if kind == "refused":
            self._refusal = message  # raised when what was told before it has been heard
        if kind in {"ready", "room"}:
            self._slots = message["slots"]
            self._gpus = tuple(Gpu(**gpu) for gpu in message["gpus"])
        return message if "task" in message else None

    def _last_words(self) -> str:
        self._said.seek(max(0, self._said.seek(0, os.SEEK_END) - _DETAIL_BYTES))
        lines = self._said.read().decode("utf-8", "replace").strip().splitlines()
        return f" ({lines[-1].strip()})" if lines else ""

    @staticmethod
    def _remedy() -> str:
        return "see `ray status`; when the cluster is back: pv sweep --resume"
