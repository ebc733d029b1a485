"""Runs ``pv`` in processes of its own, beside a folder of caches that is theirs alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from pv.result_cache.entry import Entry, read_entry

ROOT = Path(__file__).resolve().parents[3]


class Ended(NamedTuple):
    """How a run ended, and what it printed."""

    code: int
    out: bytes
    err: bytes


class Runs:
    """Runs of ``pv`` that share a folder of caches."""

    def __init__(self, scratch: Path) -> None:
        self.caches = scratch / "caches"
        self._printed = scratch / "printed"
        self._printed.mkdir(parents=True)
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in {"CI", "PV_NO_CACHE"} and not name.startswith(("GIT_", "PYTEST"))
        }
        self.variables = kept | {"XDG_CACHE_HOME": str(self.caches), "PYTHONPATH": str(ROOT)}
        program = Path(__file__).with_name("forking.py")
        self._forking = subprocess.Popen(
            [sys.executable, "-P", program],
            env=self.variables,
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, folder: Path, *words: str, **variables: str) -> Ended:
        """Run ``pv`` with `words` in `folder`."""
        asked = {
            "folder": str(folder),
            "words": words,
            "variables": self.variables | variables,
            "out": str(self._printed / "out"),
            "err": str(self._printed / "err"),
        }
        assert self._forking.stdin is not None
        assert self._forking.stdout is not None
        self._forking.stdin.write(json.dumps(asked) + "\n")
        self._forking.stdin.flush()
        code = int(self._forking.stdout.readline())
        return Ended(code, (self._printed / "out").read_bytes(), (self._printed / "err").read_bytes())

    def anew(self, folder: Path, *words: str, **variables: str) -> Ended:
        """Run it without the cache."""
        return self(folder, *words, "--no-cache", **variables)

    def kept(self) -> dict[str, int]:
        """Return the inode of each entry: one that is written again is another file."""
        folder = self.caches / "pv" / "results"
        return {path.name: path.stat().st_ino for path in folder.glob("[!.]*")} if folder.is_dir() else {}

    def entries(self) -> list[Entry]:
        """Return every entry."""
        found = [read_entry(str(self.caches / "pv" / "results" / name)) for name in self.kept()]
        assert None not in found
        return [entry for entry in found if entry is not None]

    def hits(self, folder: Path, *words: str, **variables: str) -> bool:
        """Run it twice; tell whether the second run took what the first had remembered."""
        first = self(folder, *words, **variables)
        before = self.kept()
        assert self(folder, *words, **variables) == first
        return self.kept() == before != {}

    def close(self) -> None:
        """End the process that forks."""
        assert self._forking.stdin is not None
        self._forking.stdin.close()
        self._forking.wait(60)
        assert self._forking.stdout is not None
        self._forking.stdout.close()


@pytest.fixture(scope="module")
def forked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """Runs whose process is shared by a module."""
    made = Runs(tmp_path_factory.mktemp("runs"))
    yield made
    made.close()


@pytest.fixture
def runs(forked: Runs, tmp_path: Path) -> Runs:
    """Runs with an empty folder of caches, which lies in no project."""
    forked.caches = tmp_path / "caches"
    forked.variables["XDG_CACHE_HOME"] = str(forked.caches)
    return forked
