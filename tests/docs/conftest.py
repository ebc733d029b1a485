"""Runs what documents say. A comment before each fenced block says how:

``<!-- in: NAME -->``     a console block, run in the folder NAME: ``clone`` is a copy of the repository,
                          any other begins empty. Blocks run in order and share their folders.
``<!-- file: PATH -->``   a file, written below the folder of the blocks before it.
``<!-- by: CI -->``       commands that take the network or minutes; a test shows who runs them instead.
``<!-- by: services -->`` commands that take a cluster; a test of `make services` runs them.
"""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MARK = "@@ended "
BLOCK = re.compile(r"(?:<!-- (in|file|by): (\S+) -->\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Block:
    """One fenced block of a document: its language, its text, and how it is run."""

    language: str
    text: str
    how: str
    name: str

    @property
    def steps(self) -> list[tuple[str, list[str]]]:
        """Each command of a console block, with the output that the document shows for it."""
        found: list[tuple[str, list[str]]] = []
        for line in self.text.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif line.startswith("> "):
                found[-1] = (f"{found[-1][0]}\n{line[2:]}", [])
            elif found:
                found[-1][1].append(line)
        return found


def blocks(document: Path) -> list[Block]:
    return [
        Block(language, text, how, name)
        for how, name, language, text in BLOCK.findall(document.read_text(encoding="utf-8"))
    ]


@pytest.fixture
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which `pv`, `apr` and `python` are those under test, installed or not.

    A reader has set no option of ours in it: one that is set here would change what the pages say.
    """
    folder = tmp_path_factory.mktemp("programs")
    for name, words in (("pv", "-m pv"), ("apr", "-m pv_runtime.cli"), ("python", "")):
        (folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n')
        (folder / name).chmod(0o755)
    paths = [ROOT, ROOT / "runtime", ROOT / "kernels"]
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("PV_")},
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "GIT_CEILING_DIRECTORIES": str(folder.parent),
    }


def copy_of_repository(target: Path) -> Path:
    """Copy the project as it stands: tracked files, and new ones that git does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=False,
    )  # fmt: skip
    if listed.returncode:
        ignored = shutil.ignore_patterns(".venv", ".git", ".pv", "__pycache__", ".*_cache", ".hypothesis")
        shutil.copytree(ROOT, target, ignore=ignored)
        return target
    for name in filter(None, os.fsdecode(listed.stdout).split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target / name)
    return target


FIRST_TIME = "compiling for this machine, once (some seconds)"
"""Whoever comes first is told so; another test may have been first."""


def run_steps(
    block: Block, folder: Path, environment: dict[str, str]
) -> Iterator[tuple[str, list[str], list[str]]]:
    """Run one block in one shell; yield each command, the output that was promised, and what came."""
    script = "".join(f"{command}\n_e=$?; echo '{MARK}'; (exit $_e)\n" for command, _ in block.steps)
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, text=True, timeout=240, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    parts = done.stdout.split(f"{MARK}\n")
    for (command, promised), came in zip(block.steps, parts, strict=False):
        yield command, promised, [line for line in came.splitlines() if line != FIRST_TIME]


def matches(promised: list[str], came: list[str]) -> bool:
    """Compare line by line; ``...`` alone stands for any lines, within a line for any text."""
    if not promised:
        return True
    pattern = []
    for line in promised:
        if line.strip() == "...":
            pattern.append(r"(?:.*\n)*?")
        else:
            pattern.append(".*?".join(re.escape(part.rstrip()) for part in line.split("...")) + r"[ ]*\n")
    text = "".join(f"{line}\n" for line in came)
    return re.fullmatch("".join(pattern) + r"\n*", text) is not None


@pytest.fixture
def follow(tmp_path: Path, programs: dict[str, str]) -> Callable[[Path], int]:
    """Return a function that does everything a document says, and counts the commands."""

    def do(document: Path) -> int:
        folder = tmp_path / "nowhere"
        count = 0
        for block in blocks(document):
            if block.how == "in":
                folder = tmp_path / block.name
                if not folder.exists():
                    copy_of_repository(folder) if block.name == "clone" else folder.mkdir()
                for command, promised, came in run_steps(block, folder, programs):
                    shown = "\n".join(came)
                    assert matches(promised, came), f"{document.name}: $ {command}\nends so:\n{shown}"
                    if not promised:
                        assert "error" not in shown.lower(), f"{document.name}: $ {command}\n{shown}"
                    count += 1
            elif block.how == "file":
                path = folder / block.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text, encoding="utf-8")
        return count

    return do


@pytest.fixture
def blocks_of() -> Callable[[Path], list[Block]]:
    return blocks
