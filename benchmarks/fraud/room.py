"""Where attempts are made: copies of one honest project that was judged once, and its answers as controls."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from benchmarks.fraud.attempt import Ended, Play, Played
from benchmarks.fraud.project import Project

__all__ = ["FraudError", "Room", "tampered"]


class FraudError(Exception):
    """An attempt could not be made."""


class Room:
    """An empty folder, in which each attempt has a project of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0
        self._honest: Project | None = None
        self._controls: dict[tuple[str, ...], Ended] = {}

    @property
    def honest(self) -> Project:
        """The honest project with its evidence. Nobody changes it."""
        if self._honest is None:
            self._honest = Project.made(self._folder / "honest")
            self._honest.git("init", "--quiet", "--initial-branch=main")
            self._honest.write(".gitignore", ".pv/\n__pycache__/\n")
            self._honest.commit()
            ended = self._honest.pv("discharge", "contracts")
            if ended.code:
                raise FraudError(f"the honest project is not green: {' '.join(ended.lines)}")
            self._honest.commit()
        return self._honest

    def project(self) -> Project:
        """Return a new copy of the honest project, with its evidence and its history."""
        self._count += 1
        root = self._folder / f"attempt-{self._count}"
        shutil.copytree(self.honest.root, root, ignore=shutil.ignore_patterns(".pv", "__pycache__"))
        return Project(root)

    def control(self, *words: str) -> Ended:
        """Return how a command ends in the honest project; it must write nothing."""
        if words not in self._controls:
            self._controls[words] = self.honest.pv(*words)
        return self._controls[words]


def tampered(change: Callable[[Project], None], *words: str) -> Play:
    """Return the attempt to run the command `words` after `change`: its control is the honest project."""

    def play(room: Room) -> Played:
        project = room.project()
        change(project)
        return Played(room.control(*words), project.pv(*words))

    return play
