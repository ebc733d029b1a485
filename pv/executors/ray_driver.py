"""The process that speaks with a Ray cluster, for :mod:`pv.executors.ray`.

Ray's driver is no guest for the engine: it starts threads, handles signals, prints, moves its process into
another group, and ends the process when the cluster is gone. Here it may; the engine sees JSON lines.

Standard input has one line that says what to connect to, and then tasks. What was standard output first has
``{"kind": "ready"}`` or ``{"kind": "refused", "what", "remedy"}``; then come the events of
:mod:`pv.executors.protocol`, and of our own ``{"kind": "room", "slots", "gpus"}``, ``{"kind": "refused"}``
and, so that silence means something, ``{"kind": "alive"}``. It ends when its input does, or the engine.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from pv.errors import ConfigError, PvError
from pv.processes import die_with

__all__ = ["main"]

_LOOK_SECONDS = 2.0
_ALIVE_SECONDS = 5.0
_TICK_SECONDS = 1.0
_DOUBT_SECONDS = 0.2
_CLOSE_SECONDS = 3.0
_KNOCK_SECONDS = 20.0

Inbox = queue.SimpleQueue[tuple[str, Any, Any]]


class _Events:
    """Where events go, one line each."""

    def __init__(self) -> None:
        self._stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)  # whatever Ray prints is no event

    def send(self, event: Mapping[str, Any]) -> None:
        self._stream.write(json.dumps(event, allow_nan=False) + "\n")
        self._stream.flush()


def main(engine: int) -> None:
    """Serve tasks until standard input ends."""
    die_with(engine)
    events = _Events()
    given = json.loads(sys.stdin.readline())
    try:
        with _connected(given):
            _serve(given, events)
    except PvError as error:
        events.send({"kind": "refused", "what": error.what, "remedy": error.remedy})


@contextlib.contextmanager
def _connected(given: Mapping[str, Any]) -> Iterator[None]:
    """Connect to the cluster, or start one where the address is ``local``.

    Raises
    ------
    ConfigError
        There is none at the address.
    """
    address = given["address"]
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS") or address
    # Ray reads these when it is imported.
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_IGNORE_UNHANDLED_ERRORS": "1"}
    own: dict[str, Any] = {}
    if address == "local":
        # Where it listens on the loopback alone, it must not be made ready for other hosts.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        processors = max(len(os.sched_getaffinity(0)), int((given["jobs"] or 1) * given["cpus"]))
        own = {"num_cpus": processors, "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    elif address.partition(":")[0] in {"127.0.0.1", "localhost"}:
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        own = {"_node_ip_address": "127.0.0.1"}
    try:
        _knock(address)
        import ray

        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, configure_logging=True, **own)
    except (ConnectionError, ValueError, RuntimeError, TimeoutError, OSError) as error:
        where = "that this host belongs to" if address == "auto" else f"at {address}"
        raise ConfigError(
            f"there is no Ray cluster {where} ({str(error).strip().splitlines()[0][:200]})",
            remedy="start one with `ray start --head`, join it on the other hosts with"
            " `ray start --address HOST:6379`, or try it out on this host alone with --set address=local",
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Fail at once where nobody listens: Ray would try for minutes."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host, int(port)), timeout=_KNOCK_SECONDS).close()


def _serve(given: Mapping[str, Any], events: _Events) -> None:
    from pv.executors.ray_nodes import Nodes  # after it was said what Ray may do
    from pv.executors.ray_pool import Pool

    nodes = Nodes(given["cpus"], given["root"])
    nodes.look()
    if not nodes.slots:
        raise ConfigError(
            f"no node of the cluster has room for a task: it takes {given['cpus']:g} processor(s)",
            remedy="start nodes with --num-cpus, or lower executors.ray.cpus",
        )

    def tell_room(kind: str) -> None:
        slots = max(1, min(nodes.slots, given["jobs"] or nodes.slots))
        events.send({"kind": kind, "slots": slots, "gpus": nodes.gpus})

    inbox: Inbox = queue.SimpleQueue()
    pool = Pool(
        nodes,
        {"root": given["root"], "options": given["options"]},
        given["cpus"],
        given["patience"],
        events.send,
        lambda actor, future: inbox.put(("answer", actor, future)),
    )
    tell_room("ready")
    threading.Thread(target=_read, args=(inbox,), daemon=True).start()
    looked = said = time.monotonic()
    try:
        while True:
            with contextlib.suppress(queue.Empty):
                what, first, second = inbox.get(timeout=_DOUBT_SECONDS if pool.in_doubt else _TICK_SECONDS)
                if what == "end":
                    return
                if what == "task":
                    pool.start(first)
                else:
                    pool.hear(first, second)
            now = time.monotonic()
            if now - looked >= (_DOUBT_SECONDS if pool.in_doubt else _LOOK_SECONDS):
                looked = now
                if nodes.look():
                    tell_room("room")
                pool.tick()
            if now - said >= _ALIVE_SECONDS:
                said = now
                events.send({"kind": "alive"})
    finally:
        pool.close(_CLOSE_SECONDS)


def _read(inbox: Inbox) -> None:
    for line in sys.stdin:
        inbox.put(("task", json.loads(line), None))
    inbox.put(("end", None, None))


if __name__ == "__main__":
    main(int(sys.argv[1]))
