"""The page that fine-tunes a model: its run is killed for real, and what goes on is the unbroken run."""

from __future__ import annotations

import itertools
import json
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from pv_runtime import cli

from tests.docs.conftest import ROOT

Blocks = Callable[[Path], list[Any]]
PAGE = ROOT / "docs/how-to/fine-tune.md"
FIRST = "step-00000008"


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def commands(blocks_of: Blocks) -> dict[str, list[str]]:
    """The page's `apr` commands by what tells them apart, without what a shell does around them."""
    found = {}
    for block in blocks_of(PAGE):
        for command, _ in block.steps:
            words = shlex.split(command.replace("\\\n", " "))
            words = [*itertools.takewhile(lambda word: word not in {">", "&"}, words)]
            if words[0] == "apr":
                found["resume" if "--resume" in words else words[1]] = words
    return found


def digest(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def losses(run: Path) -> list[tuple[str, int, float]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [(line["kind"], line["step"], line["loss"]) for line in lines]


@pytest.mark.page
@pytest.mark.usefixtures("one_thread")
def test_a_run_that_is_killed_and_resumed_is_the_unbroken_one_and_can_be_run(
    tmp_path: Path,
    programs: dict[str, str],
    blocks_of: Blocks,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "models").symlink_to(ROOT / "models")
    (tmp_path / "my-text").symlink_to(ROOT / "docs/how-to")
    monkeypatch.chdir(tmp_path)
    asked = commands(blocks_of)
    assert list(asked) == ["tokenize", "pretrain", "resume", "export", "run"]
    assert cli.main(asked["tokenize"][1:]) == 0

    process = subprocess.Popen(asked["pretrain"], env=programs, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not Path("run/checkpoints", FIRST).exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert max(path.name for path in Path("run/checkpoints").glob("step-*")) == FIRST  # in the middle
    assert cli.main(asked["resume"][1:]) == 0

    unbroken = asked["pretrain"][1:]
    unbroken[unbroken.index("--run-dir") + 1] = "unbroken"
    assert cli.main(unbroken) == 0
    ends = [Path(run, "checkpoints/latest").resolve() for run in ("run", "unbroken")]
    assert {end.name for end in ends} == {"step-00000016"}
    assert digest(ends[0]) == digest(ends[1])
    assert losses(Path("run")) == losses(Path("unbroken"))
    held_out = [loss for kind, _, loss in losses(Path("run")) if kind == "validation"]
    assert len(held_out) == 5
    assert held_out[-1] < held_out[0] - 0.05

    assert cli.main(asked["export"][1:]) == 0
    assert Path("fine-tuned.gguf").read_bytes()[:4] == b"GGUF"
    capsys.readouterr()
    assert cli.main(asked["run"][1:]) == 0
    assert capsys.readouterr().out.strip()
