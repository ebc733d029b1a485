"""What lets thousands of tests share a machine: one thread each, no waiting for the disk, no word of the CI.

Of a pull request `pv` runs less, and the projects of tests are none.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("shared", deadline=None)
settings.load_profile("shared")
"""A machine that others use as well is slow now and then, which says nothing of what is tested."""

if "PYTEST_XDIST_WORKER" in os.environ:
    # More would wait for each other. Before numpy and torch are imported; children inherit it.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

for name in ("GITHUB_EVENT_NAME", "CI_PIPELINE_SOURCE"):
    os.environ.pop(name, None)

os.environ["PV_NO_CACHE"] = "1"
"""No test writes into the user's folder of caches; those of the cache take it away again."""


gc.disable()
"""Until all tests are collected, which leaves nothing to be collected."""


def pytest_collection_finish() -> None:
    """Let the collector of garbage look no more at modules and tests, which stay."""
    gc.freeze()
    gc.enable()


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
