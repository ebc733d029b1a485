"""Every command of the README runs, and prints what the README says."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
Blocks = Callable[[Path], list[Any]]

BY_CI = {
    "make discharge": (".ci/run", "make discharge"),
    "make test": (".ci/run", "make test"),
    # make does it, with the same extra, before `make discharge` runs anything.
    "python -m pip install --editable '.[runtime,properties]'": (
        "Makefile",
        "$(INSTALL) --editable '.[runtime,properties]'",
    ),
}
"""Commands that take the network or minutes → the file, and its line, that runs them."""

TORCH = "torch --constraint constraints.txt --index-url https://download.pytorch.org/whl/cpu"
BY_NOBODY = {"make .venv/bin/python", f".venv/bin/python -m pip install {TORCH}"}
"""The first is a file that every target of make makes; the second needs an index that CI need not reach."""


@pytest.mark.page
def test_every_command_of_the_tour_does_what_the_readme_says(follow: Callable[[Path], int]) -> None:
    assert follow(README) >= 18


def test_every_block_of_commands_says_how_it_is_run(blocks_of: Blocks) -> None:
    found = [block for block in blocks_of(README) if block.language in {"console", "sh", "bash", "shell"}]
    assert found
    assert all(block.language == "console" and block.how in {"in", "by"} for block in found)
    assert all(block.steps for block in found)


def test_the_commands_that_are_not_run_here_are_run_elsewhere(blocks_of: Blocks) -> None:
    others = {command for block in blocks_of(README) if block.how == "by" for command, _ in block.steps}
    assert others == BY_CI.keys() | BY_NOBODY
    for file, line in BY_CI.values():
        assert "$(BIN)/python:" in (ROOT / "Makefile").read_text(encoding="utf-8")
        assert line in [text.strip() for text in (ROOT / file).read_text(encoding="utf-8").splitlines()]


def test_the_picture_is_what_the_command_prints() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "picture.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_link_of_the_documents_leads_somewhere() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    assert len(documents) >= 12
    for document in documents:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8")):
            assert "://" in target or (document.parent / target).exists(), f"{document.name}: {target}"
