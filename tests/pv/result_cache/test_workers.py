"""Work that forked processes share: what they look at counts, and what is not heard of is not remembered."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pv.result_cache.recorder import Noted, Recorder
from pv.result_cache.workers import adopt, handed_over, workers
from tests.pv.result_cache.conftest import ROOT

PROGRAM = """
import os, sys
from pathlib import Path
from pv.result_cache.recorder import Recorder
from pv.result_cache.workers import adopt, handed_over, workers

def forked(name, how):
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        Path(name).exists() and Path(name).read_bytes()
        if how == "writes":
            Path("new").write_text("new")
        if how != "silent":
            os.write(writing, b"nothing" if how == "garbled" else handed_over())
        os._exit(0)
    os.close(writing)
    said = b""
    while piece := os.read(reading, 1 << 16):
        said += piece
    os.waitpid(child, 0)
    if how != "silent":
        adopt(said)

how = sys.argv[1]
recorder = Recorder()
recorder.begin()
if how == "unsaid":
    forked("a.txt", how)
else:
    with workers():
        for name in ("a.txt", "folder/in.txt", "none.txt"):
            forked(name, how)
recorder.end()
found = recorder.manifest()
print(recorder.refused)
print(*sorted(name.decode() for (_, name), _ in found))
"""


@pytest.mark.parametrize(
    ("how", "refused"),
    [
        ("fork", ""),
        ("silent", "a worker handed nothing over"),
        ("garbled", "a worker that was not watched"),
        ("writes", "it wrote a file"),
        ("unsaid", "os.fork"),
    ],
)
def test_what_workers_look_at_counts(tmp_path: Path, how: str, refused: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "in.txt").write_text("in", encoding="utf-8")
    (tmp_path / "a.txt").write_text("a", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    said, found = done.stdout.splitlines()
    assert said == refused
    assert ({"a.txt", "folder/in.txt", "none.txt"} <= set(found.split())) == (how in {"fork", "writes"})


def test_where_nobody_watches_nothing_is_handed_over() -> None:
    with workers():
        assert handed_over() == b""
        adopt(b"")


def test_what_they_disagree_on_is_not_remembered(tmp_path: Path) -> None:
    recorder = Recorder()
    recorder.begin()
    (tmp_path / "a.txt").exists()
    recorder.end()
    probe, then = recorder.hand_over().found[0]
    recorder.note(probe, then)
    recorder.adopt(Noted("", [(probe, then)]))
    assert recorder.refused == ""
    recorder.adopt(Noted("", [(probe, then + b"!")]))
    assert recorder.refused != ""
