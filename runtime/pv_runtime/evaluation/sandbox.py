"""Runs a program and its test in a process that has neither network nor much of anything else.

The process says what rights it could take from itself before it is given the program, and what can be seen
from outside (its network, its filter of calls) is not taken on its word. Passed is a program only if the
test has returned: its process then writes a token that is made for this one run, and ends with 0. Whoever
ends early, by whatever call, has not passed.

What this does not hold against is a program that was written to deceive its test: it shares the test's
process, so it can return an object that is equal to everything, replace functions of modules that the test
uses, or look for the token in the frames above it. It can read the files that the user can read, and cannot
send them anywhere.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import hmac
import json
import math
import os
import secrets
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pv_runtime.errors import ModelError, printable

__all__ = ["Enforced", "Job", "Limits", "UnconfinedError", "Verdict", "judge", "judge_all", "weakest"]

_CHILD = Path(__file__).with_name("sandbox_child.py")
_START_SECONDS = 60.0
"""For the process to begin; a machine may be busy, and none of the program's time has passed."""
_MOST_ANSWER = 64 << 10
_KEPT_OUTPUT = 2000
_CHUNK = 1 << 16


class UnconfinedError(ModelError):
    """The network cannot be taken from a program here, and nobody allowed it to have one."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """What one program may take.

    Parameters
    ----------
    seconds
        By the clock on the wall; of the processor, some more, should nobody look at that clock.
    memory
        Bytes of address space.
    file_bytes, folder_bytes, folder_files
        Of one file; of all in its folder; how many. The latter two where the folder is its own file system.
    open_files, processes
        At a time; `processes` counts threads, too.
    output_bytes
        Printed at most.
    """

    seconds: float = 10.0
    memory: int = 512 << 20
    file_bytes: int = 16 << 20
    folder_bytes: int = 64 << 20
    folder_files: int = 256
    open_files: int = 64
    processes: int = 16
    output_bytes: int = 1 << 20


@dataclasses.dataclass(frozen=True)
class Enforced:
    """What was in force when the program ran.

    Parameters
    ----------
    own_network
        It was in a network of its own, without an interface.
    no_sockets
        It could neither open a socket nor make or replace a process.
    own_processes
        It could see no process but its own, and all of them ended with it.
    writes_only_to_scratch
        It could write to its folder only, which had the size that the limits say.
    limits
        Of the system, by name: ``cpu_seconds``, ``address_space_bytes``, ``file_bytes``, …
    """

    own_network: bool
    no_sockets: bool
    own_processes: bool
    writes_only_to_scratch: bool
    limits: Mapping[str, int]

    @property
    def network(self) -> str:
        """``"none"``, or ``"open"`` where it could reach what this machine can."""
        return "none" if self.own_network or self.no_sockets else "open"


@dataclasses.dataclass(frozen=True)
class Job:
    """A program, the function that its test is given, and the test, which defines ``check``."""

    program: str
    entry_point: str
    test: str


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What came of a job.

    Parameters
    ----------
    outcome
        ``"passed"``; ``"wrong"`` where an assertion failed; ``"no Python"``, ``"error"``, ``"memory"``;
        ``"ended early"``, ``"timeout"``, ``"output"``. All but the first are the program's own word.
    detail
        One line on it.
    seconds
        From the beginning of the program.
    enforced
        What was in force.
    """

    outcome: str
    detail: str
    seconds: float
    enforced: Enforced

    @property
    def passed(self) -> bool:
        """Whether the test has returned."""
        return self.outcome == "passed"


def judge(
    job: Job, limits: Limits = Limits(), *, allow_network: bool = False, scratch: str | None = None
) -> Verdict:
    """Run one job, in a folder of its own in `scratch`, by default where temporary files are.

    Raises
    ------
    UnconfinedError
        The network cannot be taken from it here, and `allow_network` is not set; the program has not run.
    ModelError
        The process could not be started.
    """
    with tempfile.TemporaryDirectory(prefix="apr-eval-", dir=scratch) as folder:
        answers, theirs = os.pipe()
        try:
            process = _started(folder, theirs, limits)
        except BaseException:
            os.close(answers)
            raise
        finally:
            os.close(theirs)
        with contextlib.closing(_Conversation(process, answers)) as conversation:
            confined = json.loads(conversation.first_line())
            enforced = _enforced(confined)
            if enforced.network != "none" and not allow_network:
                raise UnconfinedError(
                    "the network cannot be taken from programs here: the kernel allows neither namespaces "
                    "nor a filter of system calls"
                )
            token = secrets.token_hex(16)
            started = time.monotonic()
            conversation.send({**dataclasses.asdict(job), "token": token})
            outcome, detail = conversation.outcome(token, limits)
            return Verdict(outcome, detail, time.monotonic() - started, enforced)


def judge_all(
    jobs: Sequence[Job],
    limits: Limits = Limits(),
    *,
    allow_network: bool = False,
    workers: int = 1,
    scratch: str | None = None,
) -> Iterator[Verdict]:
    """Run jobs, `workers` at a time; verdicts come in the order of the jobs."""
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        yield from pool.map(
            lambda job: judge(job, limits, allow_network=allow_network, scratch=scratch), jobs
        )


def weakest(several: Sequence[Enforced]) -> Enforced:
    """Return what was in force in every one of them.

    Raises
    ------
    ValueError
        There is none.
    """
    if not several:
        raise ValueError("nothing has run, and so nothing was in force")
    names = [field.name for field in dataclasses.fields(Enforced) if field.name != "limits"]
    limits = {name: max(each.limits[name] for each in several) for name in several[0].limits}
    return Enforced(**{name: all(getattr(each, name) for each in several) for name in names}, limits=limits)


def _started(folder: str, answers: int, limits: Limits) -> subprocess.Popen[bytes]:
    settings = {
        "folder": folder,
        "folder_bytes": limits.folder_bytes,
        "folder_files": limits.folder_files,
        "limits": {
            "cpu_seconds": math.ceil(limits.seconds) + 1,
            "address_space_bytes": limits.memory,
            "file_bytes": limits.file_bytes,
            "open_files": limits.open_files,
            "processes": limits.processes,
            "core_bytes": 0,
        },
    }
    return subprocess.Popen(
        [sys.executable, "-I", "-B", str(_CHILD), str(answers), json.dumps(settings)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        cwd=folder, env={}, pass_fds=(answers,), start_new_session=True,
    )  # fmt: skip


def _enforced(confined: Mapping[str, Any]) -> Enforced:
    """Take what the process says, but for what can be seen from here."""
    process = f"/proc/{int(confined['pid'])}"

    def apart(kind: str) -> bool:
        return Path(process, "ns", kind).readlink() != Path("/proc/self/ns", kind).readlink()

    filtered = any(
        line.split() == ["Seccomp:", "2"]
        for line in Path(process, "status").read_text(encoding="utf-8").splitlines()
    )
    return Enforced(
        own_network=bool(confined["namespaces"]) and apart("net"),
        no_sockets=bool(confined["no_processes"]) and filtered,
        own_processes=bool(confined["namespaces"]) and apart("pid"),
        writes_only_to_scratch=bool(confined["writes_only_to_scratch"]) and apart("mnt"),
        limits=dict(confined["limits"]),
    )


class _Conversation:
    """With the process: what it says, what it prints, and its end. Closing it ends everything in it."""

    def __init__(self, process: subprocess.Popen[bytes], answers: int) -> None:
        self._process = process
        self._answers = answers
        self._said = b""
        self._output = b""
        self._printed = 0
        self._first = process.pid

    def first_line(self) -> bytes:
        """Wait for what the process says before it is given the program."""
        self._listen(time.monotonic() + _START_SECONDS, lambda: b"\n" in self._said)
        line, newline, self._said = self._said.partition(b"\n")
        if not newline:
            said = printable(" ".join(self._output.decode("utf-8", "replace").split())[-300:])
            raise ModelError(f"the process that judges programs could not be started: {said}")
        self._first = int(json.loads(line)["pid"])
        return line

    def send(self, job: Mapping[str, Any]) -> None:
        """Hand the job over; the process reads all of it before it does anything."""
        assert self._process.stdin is not None  # noqa: S101
        with contextlib.suppress(BrokenPipeError):  # then it has ended, which is seen in a moment
            self._process.stdin.write(json.dumps(job).encode())
            self._process.stdin.close()

    def outcome(self, token: str, limits: Limits) -> tuple[str, str]:
        """Wait for the end of the program, or end it; return the outcome and a line on it."""
        deadline = time.monotonic() + limits.seconds
        self._listen(deadline, lambda: self._printed > limits.output_bytes or len(self._said) > _MOST_ANSWER)
        if self._printed > limits.output_bytes:
            return "output", f"more than {limits.output_bytes} bytes were printed"
        try:
            code = self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            return "timeout", f"not done in {limits.seconds:g} s"
        return self._judged(token, code)

    def _judged(self, token: str, code: int) -> tuple[str, str]:
        try:
            said = json.loads(self._said[:_MOST_ANSWER])
            outcome, detail = str(said["outcome"]), printable(str(said["detail"]))
            genuine = hmac.compare_digest(str(said.get("token", "")).encode(), token.encode())
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            number = 256 - code if code > 128 else -code if code < 0 else 0
            how = f"signal {number}" if number else f"exit code {code}"
            return "ended early", f"{how}, before the test had returned"
        if outcome == "passed" and not (genuine and code == 0):
            return "ended early", "it says that it has passed, and cannot show it"
        return outcome, detail

    def _listen(self, deadline: float, enough: Any) -> None:
        """Read what comes until both pipes are closed, it is enough, or the time is over."""
        assert self._process.stdout is not None  # noqa: S101
        with selectors.DefaultSelector() as selector:
            for stream in (self._answers, self._process.stdout.fileno()):
                selector.register(stream, selectors.EVENT_READ)
            while selector.get_map() and not enough():
                left = deadline - time.monotonic()
                if left <= 0:
                    return
                for key, _ in selector.select(left):
                    self._take(key.fd, selector)

    def _take(self, number: int, selector: selectors.BaseSelector) -> None:
        some = os.read(number, _CHUNK)
        if not some:
            selector.unregister(number)
        elif number == self._answers:
            self._said += some
        else:
            self._printed += len(some)
            self._output = (self._output + some)[:_KEPT_OUTPUT]

    def close(self) -> None:
        """End every process, and close the pipes."""
        if self._process.poll() is None:
            # The first process of a namespace takes all others with it; without one, the group has them.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self._first, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        os.close(self._answers)
