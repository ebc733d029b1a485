"""What lets thousands of tests share a machine: one thread a process, and no waiting for the disk."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # More would wait for each other. Before numpy and torch are imported; children inherit it.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session", autouse=True)
def what_is_written_need_not_last() -> Iterator[None]:
    """Let `os.fsync` of this process wait for no disk: no test outlives a power failure.

    Programs that tests start are as they are. A descriptor that is none is an error still.
    """

    def checked(descriptor: int) -> None:
        os.fstat(descriptor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", checked)
        yield
