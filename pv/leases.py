"""Leases of GPUs: one check at a time has a device, whoever on this host asks for it.

A lease is a lock on a file named by the device's UUID, in a folder that all processes of the host share
(``PV_LEASES``, by default ``/tmp/pv-leases``); the kernel gives it back when its holder dies, however that
happens. Within a job of Slurm, to which Slurm gave the device, only the processes of that job contend for it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pv.errors import ConfigError
from pv.host import Gpu

__all__ = ["Lease", "take_lease"]

_POLL_SECONDS = 0.1


class Lease:
    """One GPU that is ours until :meth:`release`."""

    def __init__(self, gpu: Gpu, descriptor: int) -> None:
        self.gpu = gpu
        self._descriptor = descriptor

    def release(self) -> None:
        """Let others have it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def take_lease(candidates: Sequence[Gpu], waiting: Callable[[], None] = lambda: None) -> Lease:
    """Return a lease of the first of `candidates` that is free; wait until one is, telling so once.

    Raises
    ------
    ConfigError
        The folder of leases cannot be used.
    """
    told = False
    while True:
        for gpu in candidates:
            descriptor = _open(_folder() / _name(gpu))
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            return Lease(gpu, descriptor)
        if not told:
            told = True
            waiting()
        time.sleep(_POLL_SECONDS)


def _name(gpu: Gpu) -> str:
    # Of Slurm's devices no other job has any; a process outside that holds one does not count against it.
    job = os.environ.get("SLURM_JOB_ID", "")
    return re.sub(r"[^A-Za-z0-9._-]", "_", f"{gpu.uuid}{f'.slurm-{job}' if job else ''}") + ".lock"


def _folder() -> Path:
    folder = Path(os.environ.get("PV_LEASES") or "/tmp/pv-leases")  # noqa: S108 -- shared on purpose
    try:
        folder.mkdir(exist_ok=True)
        # As /tmp itself: everybody may add, and nobody may take away what is another's.
        with contextlib.suppress(PermissionError):
            folder.chmod(0o1777)
    except OSError as error:
        raise ConfigError(
            f"the folder of GPU leases cannot be used: {folder}: {error.strerror}",
            remedy="name one that all users of the GPUs can write, with PV_LEASES",
        ) from error
    return folder


def _open(path: Path) -> int:
    """Open without following links; a lock needs no more than to read, so anybody's file will do."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        try:
            return os.open(path, flags)
        except FileNotFoundError:
            with contextlib.suppress(FileExistsError):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644))
            return os.open(path, flags)
    except OSError as error:
        raise ConfigError(
            f"the lease {path} cannot be opened: {error.strerror}",
            remedy="remove it, or name another folder with PV_LEASES",
        ) from error
