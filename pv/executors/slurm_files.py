"""What a job and its engine leave for each other: JSON in a folder on the file system that both see.

An *attempt* at a task has a folder of its own, below that of the sweep. submitit keeps its files there, named
by the number of the job; beside them lie ``end.json``, the event that ends the task; ``progress.jsonl``,
events on the way; ``notes.jsonl``, when the job began and was told to stop; ``alive``, written anew while it
runs; and ``cancelled`` once the engine has no more use for it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pv.executors.protocol import Event, Task
from pv.whole_file import replace_file

__all__ = ["Attempt", "latest_attempt", "new_attempt"]

_LOG_BYTES = 1 << 13
_SUBMITTED = "_submitted.pkl"
"""What submitit calls the file that it puts in place, last of all, under the number of the job."""


class Attempt:
    """The folder of one attempt at a task."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        """What tells it from every other of the same sweep."""
        return f"{self.path.parent.name}.{self.path.name}"

    @property
    def job(self) -> str | None:
        """The number of its job; None where none was submitted whole, which then never does anything."""
        found = [path.name.removesuffix(_SUBMITTED) for path in self.path.glob(f"*{_SUBMITTED}")]
        return max(found, key=lambda one: (len(one), one), default=None)

    @property
    def cancelled(self) -> bool:
        """Whether the engine has no more use for it."""
        return (self.path / "cancelled").exists()

    def cancel(self) -> None:
        """Tell the job, whenever it looks, to stop."""
        if self.path.is_dir():
            (self.path / "cancelled").touch()

    def end(self) -> Event | None:
        """Return the event that ended the task, once there is one."""
        try:
            found: Event = json.loads((self.path / "end.json").read_bytes())
        except FileNotFoundError:
            return None
        return found

    def live(self) -> None:
        """Give a sign of life."""
        (self.path / "alive").write_bytes(os.urandom(8).hex().encode())

    def sign(self) -> bytes:
        """Return what the last sign of life was: another each time, whatever the clocks of hosts say."""
        try:
            return (self.path / "alive").read_bytes()
        except FileNotFoundError:
            return b""

    def write_end(self, event: Event) -> None:
        """Leave the event that ends the task; it is there whole, or not at all."""
        replace_file(self.path / "end.json", json.dumps(event, allow_nan=False).encode())

    def tell(self, event: Event) -> None:
        """Leave an event of progress."""
        self._append("progress.jsonl", event)

    def told(self, since: int) -> tuple[list[Event], int]:
        """Return the events of progress behind byte `since`, and where to read on."""
        try:
            with (self.path / "progress.jsonl").open("rb") as file:
                file.seek(since)
                data = file.read()
        except FileNotFoundError:
            return [], since
        whole = data[: data.rfind(b"\n") + 1]
        return _events(whole), since + len(whole)

    def note(self, what: str, **more: str) -> None:
        """Write down, and on the disk, what became of the job."""
        self._append("notes.jsonl", {"what": what, **more}, flush=True)

    def notes(self) -> list[Mapping[str, Any]]:
        """Return what was noted so far, the first first."""
        try:
            data = (self.path / "notes.jsonl").read_bytes()
        except FileNotFoundError:
            return []
        # The host may have died while it wrote the last one.
        return _events(data[: data.rfind(b"\n") + 1])

    def look_again(self) -> None:
        """Have a file system of the network forget that a file was not there a moment ago.

        It remembers the folder for up to a minute, and reads it anew once something was created in it here.
        """
        descriptor, name = tempfile.mkstemp(prefix=".look.", dir=self.path)
        os.close(descriptor)
        Path(name).unlink()

    def said(self) -> str:
        """Return the end of what the job printed."""
        texts = []
        for path in sorted(self.path.glob("*_log.*")):
            with path.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _LOG_BYTES))
                texts.append(file.read().decode("utf-8", "replace").strip())
        return "\n".join(filter(None, texts))

    def _append(self, name: str, value: Mapping[str, Any], *, flush: bool = False) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(self.path / name, flags, 0o644)
        try:
            data = json.dumps(value, allow_nan=False).encode() + b"\n"
            length = os.fstat(descriptor).st_size
            if length and os.pread(descriptor, 1, length - 1) != b"\n":
                data = b"\n" + data  # what was cut short before it stays a line of its own
            while data:
                data = data[os.write(descriptor, data) :]
            if flush:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)


def new_attempt(sweep: Path, task: Task) -> Attempt:
    """Make the folder of another attempt at `task`, below the folder `sweep`."""
    parent = _folder(sweep, task)
    parent.mkdir(parents=True, exist_ok=True)
    path = parent / f"{_number(task)}.{len(_attempts(parent, task))}"
    path.mkdir()
    return Attempt(path)


def latest_attempt(sweep: Path, task: Task) -> Attempt | None:
    """Return the last attempt at `task` with the number that it has now; None where it was not begun."""
    found = _attempts(_folder(sweep, task), task)
    return Attempt(found[-1]) if found else None


def _attempts(parent: Path, task: Task) -> list[Path]:
    found = parent.glob(f"{_number(task)}.*")
    return sorted(found, key=lambda path: int(path.name.rpartition(".")[2]))


def _number(task: Task) -> int:
    return int(task.get("attempt", 0))


def _folder(sweep: Path, task: Task) -> Path:
    address = str(task["address"])
    shown = re.sub(r"[^A-Za-z0-9_-]", "-", address.rpartition("#")[2])[:80]
    return sweep / f"{shown}-{hashlib.sha256(address.encode()).hexdigest()[:12]}"


def _events(data: bytes) -> list[Mapping[str, Any]]:
    """Parse lines; one that was cut short, by a full disk or the death of a host, is passed over."""
    found: list[Mapping[str, Any]] = []
    for line in data.splitlines():
        with contextlib.suppress(ValueError):
            found.append(json.loads(line.decode("utf-8")))
    return found
