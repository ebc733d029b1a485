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
from importlib.machinery import PathFinder
names, sources = json.loads(sys.argv[1])
everywhere = [*sources, *sys.path]

def found(name):
    # The folders of the project are looked through, and never on the path: what lies there and is called as
    # some part of the standard library would else stand for it, here.
    try:
        spec = PathFinder.find_spec(name, everywhere)
        if spec is None or bare(spec):
            spec = importlib.util.find_spec(name) or spec
    except Exception:
        return False
    return spec is not None and (not bare(spec) or distributed(name))

def bare(spec):
    # A folder without code: part of a distribution, or what was left when one was removed.
    return spec.origin is None and spec.submodule_search_locations is not None

def distributed(name):
    for one in importlib.metadata.distributions(path=everywhere):
        if name in (one.read_text("top_level.txt") or "").split():
            return True
        if any(file.parts[0] == name for file in one.files or ()):
            return True
    return False

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
