"""A contract of five falsifiers to be swept: what some do instead of passing, what a journal says of them."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pv.journal import latest_journal

if TYPE_CHECKING:
    from tests.pv.conftest import Project


IDS = tuple(f"FALSIFY-SMALL-{number:03}" for number in range(1, 6))
HANGS = {
    "check": "small_checks.broken:breaks",
    "with": {"how": "hangs"},
    "subjects": None,
    "expect": ["min(x) >= 1"],
    "counter_examples": ["never"],
    "needs": {"memory": "64 MiB", "timeout": "600 s"},
}
FAILS = {"expect": ["max(distance) <= 0.2", "count(distance) == expected"]}
UNBOUND = {"check": None}
FAR = {"subjects": {"functional": {"numbers": "far-away"}}}


def write(project: Project, **changes: Any) -> None:
    """Write a contract of five; `changes` are keyed by the last digit of an id: ``_3=HANGS``."""
    from tests.pv.conftest import CLAUSE

    project.contract(*(dict(CLAUSE) | {"id": one} | changes.get(f"_{one[-1]}", {}) for one in IDS))


def journal_of(project: Project) -> Path:
    found = latest_journal(project.root / ".pv" / "sweeps")
    assert found is not None
    return found


def started(path: Path) -> list[str]:
    events = [json.loads(line) for line in path.read_bytes().splitlines(keepends=True) if line[-1:] == b"\n"]
    return [event["falsifier"].partition("#")[2] for event in events if event["event"] == "start"]


def outcomes(ended: Any) -> dict[str, str]:
    return {one["falsifier"].partition("#")[2]: one["outcome"] for one in ended.json["results"]}


def wait_for(path: Path, begun: int, process: subprocess.Popen[str] | None = None) -> Path:
    """Wait until a sweep in the folder `path` has begun so many, and return its journal."""
    for _ in range(1500):
        found = latest_journal(path) if path.is_dir() else None
        if found is not None and len(started(found)) >= begun:
            return found
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.02)
    raise AssertionError(f"fewer than {begun} began")


ONCE = {
    "check": "small_checks.devices:breaks_once",
    "subjects": None,
    "expect": ["min(x) >= 1"],
    "counter_examples": ["fewer"],
}
