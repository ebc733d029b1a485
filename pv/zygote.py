"""The zygote: imports the heavy outside libraries once, computes nothing, forks one child a job.

It adopts whatever its children leave behind (``PR_SET_CHILD_SUBREAPER``) and kills it when a job
ends, so that a check that forks or starts daemons leaves no orphan. It dies with the engine: when
the control socket closes, or when its parent does.

Control messages are JSON lines. Engine → zygote: a job (with the result and the output pipe as
ancillary descriptors) or ``{"kill": true}``. Zygote → engine: ``{"started": pid, …}``, once the child has
taken the network from itself, where it is to; and ``{"ended": status}``.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import select
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from pv.network import cut_off
from pv.processes import adopt_orphans, die_with

__all__ = ["main"]

_MESSAGE_BYTES = 1 << 22
_CUT_OFF = b"1"
_OPEN_FILES = 8192
_RUNS = {
    "build": ("pv.worker", "run_build"),
    "check": ("pv.worker", "run_check"),
    "command": ("pv.worker_command", "run_command"),
    "pytest": ("pv.worker_pytest", "run_pytest"),
    "property": ("pv.worker_property", "run_property"),
}
"""Kind of job → module and function; most engines have jobs of one kind, and wait for the import."""


def main(descriptor: int, engine: int) -> NoReturn:
    """Serve jobs from the control socket `descriptor` until it closes."""
    control = socket.socket(fileno=descriptor)
    adopt_orphans()
    die_with(engine)
    while True:
        message, descriptors, _flags, _address = socket.recv_fds(control, _MESSAGE_BYTES, 2)
        if not message:
            os._exit(0)
        while not message.endswith(b"\n"):
            more = control.recv(_MESSAGE_BYTES)
            if not more:
                os._exit(0)
            message += more
        job = json.loads(message)
        if "kill" in job:
            continue  # it crossed the end of the job that it was meant for
        _serve(job, control, *descriptors)


def _serve(job: dict[str, Any], control: socket.socket, result: int, output: int) -> None:
    module, function = _RUNS[job["kind"]]
    run: Callable[[dict[str, Any], int], None] = getattr(importlib.import_module(module), function)
    for name in job["preload"]:
        try:
            importlib.import_module(name)
        except Exception:  # noqa: S112  the child imports it again and reports the error as its own
            continue
    base = _status_bytes("VmData")
    zygote = os.getpid()
    ready_read, ready_write = os.pipe()
    child = os.fork()
    if child == 0:
        control.close()
        os.close(ready_read)
        _child(job, run, result, output, base, zygote, ready_write)
    os.close(result)
    os.close(output)
    os.close(ready_write)
    # Said before anything of the job was imported, and so on nobody's word but ours.
    network = "none" if os.read(ready_read, 1) == _CUT_OFF else "open"
    os.close(ready_read)
    started = {"started": child, "base": _status_bytes("RssAnon"), "network": network}
    control.sendall(json.dumps(started).encode() + b"\n")
    ended = os.pidfd_open(child)
    killed = False
    while True:
        ready, _, _ = select.select([ended, control.fileno()], [], [])
        if ended in ready:
            break
        if not control.recv(_MESSAGE_BYTES):
            _kill_descendants(child)
            os._exit(0)
        if not killed:
            killed = True
            _kill(child)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(ended)
    _kill_descendants(child)
    control.sendall(json.dumps({"ended": os.waitstatus_to_exitcode(status)}).encode() + b"\n")


def _child(
    job: dict[str, Any],
    run: Callable[[dict[str, Any], int], None],
    result: int,
    output: int,
    base: int,
    zygote: int,
    ready_write: int,
) -> NoReturn:
    try:
        os.setsid()
        # Not with CUDA: whether its driver works in a user namespace depends on how the host was set up.
        apart = not job["network"] and not job["device"].startswith("cuda") and cut_off()
        os.write(ready_write, _CUT_OFF if apart else b"0")
        os.close(ready_write)
        die_with(zygote)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        # A leak of files ends the check, not the host. Processes are counted by the engine: the system counts
        # those of the user everywhere, and would end a check for what others do.
        open_files = min(_OPEN_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        resource.setrlimit(resource.RLIMIT_NOFILE, (open_files, open_files))
        if job.get("visible"):
            os.environ["CUDA_VISIBLE_DEVICES"] = job[
                "visible"
            ]  # CUDA reads it at its first use, which is here
        if not job["device"].startswith("cuda"):
            # Counts private writable memory, not mapped models; a CUDA context maps far more than it uses.
            bound = base + job["memory_bytes"]
            resource.setrlimit(resource.RLIMIT_DATA, (bound, bound))
        run(job, result)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(0)


def _kill_descendants(child: int) -> None:
    """Kill the group of `child`, and every process that falls to us, until there is none.

    The group dies at one stroke, which a process that forks without end cannot outrun; what left the
    group is found as our child once its parent is dead. All that are dead are reaped in one go: a
    reaper that lists its children once for each would never come to the end of thousands.
    """
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    while True:
        for pid in _children():
            _kill(pid)
        try:
            os.waitpid(-1, 0)
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return


def _children() -> list[int]:
    found: list[int] = []
    for task in Path("/proc/self/task").iterdir():
        try:
            found += [int(pid) for pid in (task / "children").read_text().split()]
        except OSError:
            continue
    return found


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _status_bytes(field: str) -> int:
    """Read a field of ``/proc/self/status`` that is given in kB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
