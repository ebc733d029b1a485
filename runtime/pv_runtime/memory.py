"""How much memory this process may still take, asked before a model is loaded rather than after."""

from __future__ import annotations

import resource
from pathlib import Path

from pv_runtime.errors import LoadError

__all__ = ["available_memory", "require_memory"]

_MEMINFO = Path("/proc/meminfo")
_STATM = Path("/proc/self/statm")
_CGROUP = Path("/sys/fs/cgroup")


def available_memory() -> int:
    """Return the bytes that the machine, the control group and the limits of this process leave.

    Source: proc(5), ``MemAvailable`` and ``statm``; the kernel's cgroup-v2.rst, ``memory.max`` and
    ``memory.stat``; setrlimit(2), ``RLIMIT_AS``.
    """
    limits = [_machine()]
    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    if most != resource.RLIM_INFINITY:
        taken = int(_STATM.read_text().split()[0]) * resource.getpagesize()
        limits.append(max(most - taken, 0))
    try:
        maximum = (_CGROUP / "memory.max").read_text().strip()
        if maximum != "max":
            used = int((_CGROUP / "memory.current").read_text()) - _reclaimable()
            limits.append(max(int(maximum) - used, 0))
    except (OSError, ValueError):
        pass  # no control group, or one without a limit
    return min(limits)


def _reclaimable() -> int:
    """Return what the group keeps of files that were read, and gives up when memory is asked for."""
    try:
        lines = (_CGROUP / "memory.stat").read_text().splitlines()
    except OSError:
        return 0
    kept = ("active_file ", "inactive_file ")
    return sum(int(line.split()[1]) for line in lines if line.startswith(kept))


def _machine() -> int:
    for line in _MEMINFO.read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"{_MEMINFO} does not say MemAvailable")


def require_memory(needed: int, what: str, path: str) -> None:
    """Refuse what does not fit.

    Raises
    ------
    LoadError
        `needed` bytes are more than is available.
    """
    available = available_memory()
    if needed > available:
        raise LoadError(
            f"needs {needed / 2**30:.1f} GiB for {what}, and {available / 2**30:.1f} GiB are available",
            path,
            "compute block by block (--one-layer-at-a-time), or in bfloat16",
        )
