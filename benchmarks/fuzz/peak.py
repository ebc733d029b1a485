"""The most memory that this process had since a moment, which what went before cannot hide.

``ru_maxrss`` only ever grows, and is handed down: a child that a large process started is given that one's.
Linux begins its own count anew for whoever writes 5 into ``/proc/self/clear_refs`` (proc(5)).
"""

from __future__ import annotations

__all__ = ["begin_anew", "peak_kibibytes"]


def begin_anew() -> int:
    """Forget the peak so far; return what the process has now, in KiB."""
    with open("/proc/self/clear_refs", "wb", buffering=0) as file:  # noqa: PTH123 -- for each input, twice
        file.write(b"5")
    return peak_kibibytes()


def peak_kibibytes() -> int:
    """Return the most memory since then, in KiB."""
    with open("/proc/self/status", "rb", buffering=0) as file:  # noqa: PTH123
        return int(file.read().split(b"VmHWM:", 1)[1].split(None, 1)[0])
