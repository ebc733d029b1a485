"""Which modules a check would find: asked of the interpreter that runs checks, and nothing is imported."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from pv.errors import PvError
from pv.worker_environment import worker_environment

__all__ = ["missing_modules"]

_TIMEOUT_SECONDS = 60
_PROGRAM = """
import importlib.metadata, importlib.util, json, sys
names, sources = json.loads(sys.argv[1])
sys.path[:0] = sources

def found(name):
    try:
        spec = importlib.util.find_spec(name)
    except Exception:
        return False
    if spec is None:
        return False
    # A folder without code: part of a distribution, or what was left when one was removed.
    bare = spec.origin is None and spec.submodule_search_locations is not None
    return not bare or name in importlib.metadata.packages_distributions()

print(json.dumps([name for name in names if not found(name)]))
"""


def missing_modules(names: Sequence[str], sources: Sequence[Path]) -> tuple[str, ...]:
    """Return those of the top-level modules `names` that a check of a project with `sources` cannot import.

    Raises
    ------
    PvError
        The interpreter does not answer.
    """
    return _missing(tuple(names), tuple(map(str, sources))) if names else ()


@cache
def _missing(names: tuple[str, ...], sources: tuple[str, ...]) -> tuple[str, ...]:
    import subprocess  # late: `pv validate` asks for no module, and waits for every import

    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", _PROGRAM, json.dumps([names, sources])],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=True,
            stdin=subprocess.DEVNULL,
            env=worker_environment(),
        )
        return tuple(json.loads(done.stdout.splitlines()[-1]))
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        raise PvError(
            f"{sys.executable} does not say which modules it has: {error}",
            remedy="mend the environment that pv is installed in",
        ) from error
