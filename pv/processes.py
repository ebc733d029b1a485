"""Read from ``/proc`` what a family of processes uses (Linux)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

__all__ = ["anonymous_memory", "descendants"]


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
