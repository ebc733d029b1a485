"""One thread for each process where several share the tests: more would wait for each other."""

from __future__ import annotations

import os

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy and torch are imported; children inherit it
