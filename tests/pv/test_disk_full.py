"""A real limit, not an injected one: the kernel refuses more bytes, a folder is not ours to write."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from pv.evidence import read_record, record_path, write_record
from pv.journal import Journal, read_journal

PREDICATE = {
    "falsifier": {"contract": "c-v1", "id": "F-1"},
    "check": {"reference": "a:b"},
    "inputs": {"clause": "0" * 64, "check": "0" * 64},
    "subjects": {},
}


def in_a_child(act: Callable[[], None]) -> str:
    """Run `act` in a forked process, and return what error it ended with; empty for none."""
    heard, told = os.pipe()
    child = os.fork()
    if child == 0:
        said = ""
        try:
            act()
        except BaseException as error:
            said = f"{type(error).__name__} {getattr(error, 'strerror', error)}"
        os.write(told, said.encode())
        os._exit(0)
    os.close(told)
    with os.fdopen(heard) as file:
        said = file.read()
    os.waitpid(child, 0)
    return said


def limited(size: int) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("size", [0, 1, 700, 4096])
def test_a_record_that_does_not_fit_leaves_the_old_one(size: int, tmp_path: Path) -> None:
    path = record_path(tmp_path, "c-v1", "F-1", "live", "s", "cpu")
    write_record(path, {**PREDICATE, "measurements": {"note": "old"}})
    before = {one.name for one in path.parent.iterdir()}

    def write() -> None:
        limited(size)
        write_record(path, {**PREDICATE, "measurements": {"note": "new" * 3000}})

    assert in_a_child(write) == "OSError File too large"
    assert read_record(path).predicate["measurements"] == {"note": "old"}
    assert {one.name for one in path.parent.iterdir()} == before


def test_a_line_that_does_not_fit_leaves_a_journal_that_can_be_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "sweeps" / "a.jsonl"
    planned = [{"falsifier": "c#A", "state": "run", "gate": False}]
    Journal.begin(path, {"at": "then", "options": {}, "falsifiers": 1}, planned).close()
    size = path.stat().st_size

    def write() -> None:
        journal, _ = Journal.resume(path)
        limited(size + 10)
        journal.write({"event": "start", "falsifier": "c#A", "at": "now"})

    assert in_a_child(write) == "OSError File too large"
    assert path.stat().st_size == size
    assert read_journal(path).left == ("c#A",)
