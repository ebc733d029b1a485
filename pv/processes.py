"""Families of processes (Linux): what ``/proc`` says they use, who dies with whom, who adopts orphans."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Iterable
from pathlib import Path

__all__ = ["adopt_orphans", "anonymous_memory", "descendants", "die_with"]

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def descendants(root: int) -> list[int]:
    """Return the processes below `root`, whatever session or group they moved to."""
    below: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # The command's name may hold anything, so read from behind its closing parenthesis.
            fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        below.setdefault(int(fields[1]), []).append(int(entry.name))
    found: list[int] = []
    waiting = [root]
    while waiting:
        children = below.get(waiting.pop(), [])
        found += children
        waiting += children
    return found


def anonymous_memory(processes: Iterable[int]) -> int:
    """Sum the resident anonymous memory of `processes`, in bytes; those that ended count nothing."""
    total = 0
    for process in processes:
        try:
            text = Path(f"/proc/{process}/status").read_text(errors="replace")
        except OSError:
            continue
        for line in text.splitlines():
            if line.startswith("RssAnon:"):
                total += int(line.split()[1]) * 1024
    return total


def die_with(parent: int) -> None:
    """Be killed when `parent` dies; end at once where it died before that could be arranged."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def adopt_orphans() -> None:
    """Become the parent of every process below this one whose own parent ends."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)
