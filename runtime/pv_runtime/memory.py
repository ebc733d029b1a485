"""How much memory this process may still take, asked before a model is loaded rather than after."""

from __future__ import annotations

import resource
from pathlib import Path

from pv_runtime.errors import LoadError

__all__ = ["available_memory", "require_memory"]

_MEMINFO = Path("/proc/meminfo")
_STATM = Path("/proc/self/statm")
_OWN_GROUP = Path("/proc/self/cgroup")
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
    for group in _groups():
        try:
            maximum = (group / "memory.max").read_text().strip()
            if maximum != "max":
                used = int((group / "memory.current").read_text()) - _reclaimable(group)
                limits.append(max(int(maximum) - used, 0))
        except (OSError, ValueError):
            pass  # no control group, or one without a limit
    return min(limits)


def _groups() -> list[Path]:
    """Return the folders of this process's control group and those around it, each of which may limit it."""
    try:
        lines = _OWN_GROUP.read_text().splitlines()
    except OSError:
        lines = []
    names = next((line[3:].split("/") for line in lines if line.startswith("0::/")), [])
    parts = [name for name in names if name not in ("", "..")]
    return [_CGROUP.joinpath(*parts[:depth]) for depth in range(len(parts) + 1)]


def _reclaimable(group: Path) -> int:
    """Return what the group keeps of files that were read, and gives up when memory is asked for."""
    try:
        lines = (group / "memory.stat").read_text().splitlines()
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
