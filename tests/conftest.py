"""One thread for each process where several share the tests, and no word of the CI that they run in.

More threads would wait for each other. Of a pull request `pv` runs less, and the projects of tests are none.
"""

from __future__ import annotations

import os

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy and torch are imported; children inherit it

for name in ("GITHUB_EVENT_NAME", "CI_PIPELINE_SOURCE"):
    os.environ.pop(name, None)
