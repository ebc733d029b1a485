"""Opens hostile files where they can do no harm: in a child with limits on memory and time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

_CHILD = """
import json, resource, sys, time
from pv_runtime.errors import LoadError
from pv_runtime.formats import open_checkpoint

def address_space():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()

def look(path):
    model = open_checkpoint(path)
    for name in model.names():
        raw = model.raw(name)
        assert raw.size == model.info(name).nbytes
        raw.sum()  # touches every byte
    return model

for path in sys.argv[2:]:
    print(json.dumps({"path": path}), flush=True)  # before it is opened: a signal leaves no other trace
    limit = address_space() + int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    started = time.process_time()
    try:
        model = look(path)
        ended = "opened"
    except LoadError as error:
        ended = str(error)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    model = None
    print(json.dumps({"ended": ended, "seconds": time.process_time() - started}), flush=True)
"""

Endings = dict[str, dict[str, Any]]


@pytest.fixture(scope="session")
def open_in_child() -> Callable[[Sequence[Path], int], Endings]:
    """A function of paths and of bytes of memory beyond what is in use: path → how it ended, and when.

    Address space is what is bounded, and a mapped file is part of it: `memory` must allow for the
    largest file.
    """

    def run(paths: Sequence[Path], memory: int) -> Endings:
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, str(memory), *map(str, paths)],
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"},
        )
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert done.returncode == 0, f"{done.returncode} at {lines[-1:]}: {done.stderr[-2000:]}"
        return {begun["path"]: ended for begun, ended in zip(lines[::2], lines[1::2], strict=True)}

    return run
