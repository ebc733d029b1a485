"""The engine's side of isolation: start the zygote, hand it jobs, watch them, end them.

What is watched while a job runs: wall time, anonymous memory of the child and all its
descendants, the number of those, what it prints (first and last part kept), and how much it
records. Whatever happens to a job ends that job and nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pv.host_paths import fit_for_evidence
from pv.job_message import spelled
from pv.jobs import Broken, Build, Job, Measured, Output
from pv.masking import masked
from pv.processes import anonymous_memory, descendants
from pv.recorded import Enough, Recorded
from pv.worker_environment import worker_environment

__all__ = ["Runner"]

_TICK_SECONDS = 0.05
_LOOK_SHARE = 0.02
"""What part of the time may go into looking at the processes of a job: the job has the rest of that core."""
_DRAIN_SECONDS = 2.0
_KILL_SECONDS = 2.0
_KEEP_BYTES = 1 << 14
_RESULT_BYTES = 1 << 28

Progress = Callable[[int, int | None], None]


class Runner:
    """Runs jobs one at a time, each in a process of its own; use it as a context manager.

    Parameters
    ----------
    scratch_root
        The folder in which each job gets an empty scratch folder.
    """

    def __init__(self, scratch_root: Path) -> None:
        self._scratch_root = scratch_root
        self._zygote: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the zygote and everything below it."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._zygote is not None:
            # It ends by itself when the socket closes, killing what it forked first.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._zygote.wait(timeout=2)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._zygote.pid, signal.SIGKILL)
            self._zygote.wait()
            self._zygote = None

    def run(
        self, job: Job | Build, progress: Progress | None = None, enough: Enough | None = None
    ) -> Measured | Broken:
        """Run `job` to its end or to its limits; never raises for what the job does.

        With `enough`, a run in which the role was damaged is also ended once that says of what it recorded
        that more is not needed (:mod:`pv.recorded`).
        """
        self._scratch_root.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.mkdtemp(prefix="scratch-", dir=self._scratch_root)
        try:
            return self._run(job, scratch, progress, enough)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _run(
        self, job: Job | Build, scratch: str, progress: Progress | None, enough: Enough | None
    ) -> Measured | Broken:
        control = self._start()
        message = json.dumps(spelled(job, scratch)).encode() + b"\n"
        result_read, result_write = os.pipe()
        output_read, output_write = os.pipe()
        told = fit_for_evidence(job.project, scratch)
        watch = _Watch(job, self._zygote.pid if self._zygote else 0, progress, told, Recorded(enough))
        patience = 0.0
        try:
            # The descriptors ride on the first byte; a long message follows in pieces.
            sent = socket.send_fds(control, [message], [result_write, output_write])
            # Not with nothing left to send: the job may have ended the zygote by now.
            while sent < len(message):
                sent += control.send(message[sent:])
        except (BrokenPipeError, ConnectionResetError):
            watch.zygote_died = True
        finally:
            os.close(result_write)
            os.close(output_write)
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, result_read)
            stack.callback(os.close, output_read)
            selector = stack.enter_context(selectors.DefaultSelector())
            for descriptor, take in (
                (result_read, watch.take_result),
                (output_read, watch.take_output),
                (control.fileno(), watch.take_control),
            ):
                os.set_blocking(descriptor, descriptor == control.fileno())
                selector.register(descriptor, selectors.EVENT_READ, take)
            for _ in watch.until_ended(selector):
                if watch.verdict is not None and not watch.killed:
                    watch.killed = True
                    patience = time.monotonic() + _KILL_SECONDS
                    if watch.child is None:
                        self._signal_zygote()
                    else:
                        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                            control.sendall(b'{"kill": true}\n')
                elif watch.killed and time.monotonic() > patience:
                    # It may have been stopped by what it holds: SIGKILL ends what is stopped, too.
                    patience = time.monotonic() + _KILL_SECONDS
                    self._signal_zygote()
        if watch.zygote_died:
            # What it had adopted has nobody to end it now.
            for pid in watch.family:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.close()
        return watch.outcome()

    def _start(self) -> socket.socket:
        if self._control is not None and self._zygote is not None and self._zygote.poll() is None:
            return self._control
        self.close()
        ours, theirs = socket.socketpair()
        self._zygote = subprocess.Popen(
            # -P: what lies in the folder that the command is run in must not stand for a library.
            [sys.executable, "-P", "-m", "pv.zygote", str(theirs.fileno()), str(os.getpid())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=worker_environment(),
            start_new_session=True,
        )
        theirs.close()
        self._control = ours
        return ours

    def _signal_zygote(self) -> None:
        if self._zygote is not None:
            for pid in (*descendants(self._zygote.pid), self._zygote.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


class _Watch:
    """Everything known about the job that is running."""

    def __init__(
        self,
        job: Job | Build,
        zygote: int,
        progress: Progress | None,
        told: Callable[[str], str],
        recorded: Recorded,
    ) -> None:
        self.child: int | None = None
        self.killed = False
        self.zygote_died = False
        self.verdict: tuple[str, str] | None = None
        self.family: list[int] = []
        self._told = told
        self._limits = job.limits
        self._metrics = frozenset(m.name for m in job.metrics) if isinstance(job, Job) else frozenset[str]()
        self._zygote = zygote
        self._progress = progress
        self._started = time.monotonic()
        self._base = 0
        self._network = ""
        self._peak = 0
        self._exit: int | None = None
        self._recorded = recorded
        self._end: dict[str, Any] | None = None
        self._error: dict[str, str] | None = None
        self._result = bytearray()
        self._result_bytes = 0
        self._result_open = True
        self._control = bytearray()
        self._head = bytearray()
        self._tail = bytearray()
        self._printed = 0
        self._digest = hashlib.sha256()

    def until_ended(self, selector: selectors.BaseSelector) -> Iterator[None]:
        """Feed what arrives to its takers; yield at every tick until the job has ended and is drained."""
        ended: float | None = None
        # What ends before is not looked at: listing the processes of a host takes as long as a short job.
        next_look = self._started + _TICK_SECONDS
        while True:
            for key, _ in selector.select(_TICK_SECONDS):
                if not key.data(key.fd):
                    selector.unregister(key.fd)
            now = time.monotonic()
            if now >= next_look:
                self._look()
                cost = time.monotonic() - now
                next_look = now + max(_TICK_SECONDS, cost / _LOOK_SHARE)
            if self._exit is not None or self.zygote_died:
                ended = now if ended is None else ended
                if len(selector.get_map()) <= (0 if self.zygote_died else 1) or now - ended > _DRAIN_SECONDS:
                    return
            yield

    def take_control(self, descriptor: int) -> bool:
        """Read what the zygote says; False when it is gone."""
        try:
            data = os.read(descriptor, 1 << 16)
        except ConnectionResetError:
            data = b""
        if not data:
            self.zygote_died = True
            return False
        self._control += data
        while b"\n" in self._control:
            line, _, rest = self._control.partition(b"\n")
            self._control = bytearray(rest)
            message = json.loads(line)
            if "started" in message:
                self.child = message["started"]
                self._base = message["base"]
                self._network = message["network"]
            else:
                self._exit = message["ended"]
        return True

    def take_output(self, descriptor: int) -> bool:
        """Keep the first and the last part of what the job prints."""
        data = os.read(descriptor, 1 << 20)
        self._printed += len(data)
        self._digest.update(data)
        room = _KEEP_BYTES - len(self._head)
        self._head += data[:room]
        self._tail += data[max(room, 0) :]
        del self._tail[:-_KEEP_BYTES]
        return bool(data)

    def take_result(self, descriptor: int) -> bool:
        """Read records, progress and the last word of the job."""
        data = os.read(descriptor, 1 << 20)
        self._result_bytes += len(data)
        if self._result_bytes > _RESULT_BYTES:
            self.verdict = self.verdict or (
                "memory",
                f"it recorded more than {_RESULT_BYTES >> 20} MiB of measurements",
            )
            return bool(data)
        self._result += data
        if b"\n" not in data:
            return bool(data)  # a long line is split once, not again for each of its pieces
        *lines, rest = self._result.split(b"\n")
        self._result = bytearray(rest)
        for line in lines:
            self._message(bytes(line))
        return bool(data)

    def outcome(self) -> Measured | Broken:
        """State how the job ended."""
        seconds = time.monotonic() - self._started
        output = Output(
            masked(self._head.decode("utf-8", "replace")),
            masked(self._tail.decode("utf-8", "replace")),
            self._printed,
            self._digest.hexdigest(),
        )

        def broken(kind: Any, why: str, trace: str = "") -> Broken:
            return Broken(kind, why, output, seconds, trace)

        if self._recorded.settled:
            samples, network = self._recorded.samples(), self._network
            return Measured(samples, output, seconds, self._peak, planted=True, whole=False, network=network)
        if self.verdict is not None:
            return broken(*self.verdict)
        if self._error is not None:
            kind = self._error["kind"] if self._error["kind"] in {"memory", "declined"} else "raised"
            why = self._error["why"]
            if kind == "memory":
                why = f"it ran out of its {self._limits.memory_bytes >> 20} MiB of memory ({why})"
            return broken(kind, why, self._error["traceback"])
        if self._exit is None:
            return broken("crashed", "the process that holds the checks died with it")
        if self._exit < 0:
            return broken("crashed", f"it was ended by {_signal_name(-self._exit)}")
        if self._end is None:
            return broken("no-result", f"it ended its process (exit code {self._exit}) without a result")
        peak = max(self._peak, int(self._end["peak_memory_bytes"]))
        return Measured(
            self._recorded.samples(),
            output,
            float(self._end["seconds"]),
            peak,
            bool(self._end["planted"]),
            network=self._network,
        )

    def _message(self, line: bytes) -> None:
        try:
            message = json.loads(line)
            (kind, content), *others = message.items()
            if others:
                raise ValueError("one message, one kind")
            if kind == "record":
                name, value, label = content
                _require(name in self._metrics, isinstance(value, bool | int | float | str))
                _require(label is None or isinstance(label, str), self._end is None)
                plain = self._told(value) if isinstance(value, str) else value
                self._recorded.add(name, plain, label and self._told(label))
            elif kind == "progress":
                done, total = content
                _require(isinstance(done, int), total is None or isinstance(total, int))
                if self._progress is not None:
                    self._progress(done, total)
            elif kind == "planted":
                self._recorded.planted = content is True
            elif kind == "end":
                seconds, peak = content["seconds"], content["peak_memory_bytes"]
                _require(isinstance(content["planted"], bool), self._end is None)
                _require(math.isfinite(seconds), isinstance(peak, int))
                self._end = content
            else:
                _require(kind == "error", {"kind", "why", "traceback"} <= set(content))
                self._error = {key: masked(str(text)) for key, text in content.items()}
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError):
            self.verdict = self.verdict or ("refused", "something else wrote to the result channel")

    def _look(self) -> None:
        if self.verdict is not None or self._exit is not None:
            return
        if self._end is None and self._error is None and self._recorded.is_enough():
            self.verdict = ("enough", "")
            return
        if time.monotonic() - self._started > self._limits.timeout_seconds:
            self.verdict = ("timeout", f"it did not end within {self._limits.timeout_seconds:g} s")
            return
        root = self.child or self._zygote
        self.family = family = [root, *descendants(root)]
        if len(family) > self._limits.processes:
            # Before their memory is added up: of thousands, that takes time in which they fork on.
            self.verdict = ("processes", f"it started more than {self._limits.processes} processes")
            return
        used = anonymous_memory(family)
        self._peak = max(self._peak, used)
        if used > self._limits.memory_bytes + self._base * len(family):
            self.verdict = (
                "memory",
                f"it used {used >> 20} MiB of its {self._limits.memory_bytes >> 20} MiB of memory",
            )


def _require(*truths: bool) -> None:
    if not all(truths):
        raise ValueError("not what the worker sends")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
