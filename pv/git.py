"""A git repository as its programs see it, also from within a hook.

Hooks are run with ``GIT_DIR``, ``GIT_INDEX_FILE`` and the like, some of them relative to the folder in which
git began: ``git commit -a`` and ``git commit FILE`` have an index of their own, and that is the one to judge.
A variable that is about another repository than the one around the project is left out.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pv.errors import SelectionError
from pv.git_command import FILTERS, command, git_environment, without_filters

__all__ = ["Repository", "find_repository"]

_PLACES = ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY")
_SECONDS = 120


@dataclasses.dataclass(frozen=True)
class Repository:
    """A repository: the top of its working tree, and the variables to run git with."""

    top: Path
    environment: Mapping[str, str]

    def run(self, *arguments: str, given: bytes = b"") -> bytes:
        """Run git in the top folder and return what it prints.

        Raises
        ------
        SelectionError
            It cannot be run, or it failed; the message has the last line of what it said.
        """
        try:
            done = subprocess.run(
                command(*arguments),
                cwd=self.top,
                env=self.environment,
                input=given,
                capture_output=True,
                timeout=_SECONDS,
                check=False,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise SelectionError(f"git cannot be run: {error}", remedy="install git") from error
        if done.returncode:
            why = done.stderr.decode(errors="replace").strip().splitlines()
            raise SelectionError(
                f"git {arguments[0]} failed: {why[-1] if why else 'it does not say why'}",
                remedy="run it in a git checkout",
            )
        return done.stdout

    def text(self, *arguments: str) -> str:
        """Return what git prints, less its last line feed.

        Raises
        ------
        SelectionError
            As :meth:`run`.
        """
        return os.fsdecode(self.run(*arguments)).removesuffix("\n")

    def commit(self, reference: str) -> str | None:
        """Return the full name of the commit that `reference` names; None where it names none."""
        try:
            return self.text(
                "rev-parse", "--verify", "--quiet", "--end-of-options", f"{reference}^{{commit}}"
            )
        except SelectionError:
            return None

    def unfiltered(self) -> Repository:
        """Return it with every filter of files switched off, for what compares with the working tree."""
        try:
            named = self.run("config", "--includes", "--name-only", "-z", "--get-regexp", FILTERS)
        except SelectionError:  # there is none
            return self
        names = [os.fsdecode(name) for name in named.split(b"\0") if name]
        return dataclasses.replace(self, environment=without_filters(self.environment, names))

    def sizes(self, names: Sequence[str]) -> list[int]:
        """Return the sizes of the blobs of these names, in bytes.

        Raises
        ------
        SelectionError
            One is not there.
        """
        if not names:
            return []
        asked = "".join(f"{name}\n" for name in names).encode()
        said = self.run("cat-file", "--batch-check=%(objectsize)", given=asked).split(b"\n")
        try:
            return [int(line) for line in said if line]
        except ValueError as error:
            raise SelectionError("git does not have all objects", remedy="fetch the history whole") from error

    def blobs(self, names: Sequence[str]) -> Iterator[bytes]:
        """Yield the bytes of the blobs of these names, in their order, read by one process.

        Raises
        ------
        SelectionError
            One is not there.
        """
        if not names:
            return
        answer = memoryview(self.run("cat-file", "--batch", given="".join(f"{n}\n" for n in names).encode()))
        at = 0
        for name in names:
            # "<name> blob <size>\n<bytes>\n"
            head = bytes(answer[at : at + 200]).partition(b"\n")[0]
            words = head.split()
            if len(words) != 3 or words[1] != b"blob":
                raise SelectionError(f"git does not have the object {name}", remedy="fetch the history whole")
            at += len(head) + 1
            size = int(words[2])
            yield bytes(answer[at : at + size])
            at += size + 1


def find_repository(folder: Path) -> Repository:
    """Return the repository that `folder` lies in.

    Raises
    ------
    SelectionError
        There is none.
    """
    environment = git_environment()
    folder = folder.resolve()
    top = next((place for place in (folder, *folder.parents) if (place / ".git").exists()), None)
    for name in _PLACES:
        if name in environment:
            environment[name] = str(_absolute(environment[name], top))
    if top is None:
        if "GIT_DIR" not in environment:
            raise SelectionError(f"{folder.name} is in no git repository", remedy="run it in a git checkout")
        # Files apart from their repository: git itself must say where they are.
        try:
            said = Repository(Path.cwd(), environment).text("rev-parse", "--show-toplevel")
        except SelectionError as error:
            raise SelectionError(
                f"{folder.name} is in no git repository", remedy="run it in a git checkout"
            ) from error
        top = Path(said)
    elif "GIT_DIR" in environment and not _same(Path(environment["GIT_DIR"]), _folder_of(top)):
        for name in _PLACES:
            environment.pop(name, None)
    if "GIT_DIR" in environment:
        # Without it, git takes the folder that it is run in for the top.
        environment.setdefault("GIT_WORK_TREE", str(top))
    return Repository(top, environment)


def _absolute(value: str, top: Path | None) -> Path:
    path = Path(value)
    if path.is_absolute():
        return path
    here = Path.cwd() / path
    # A hook that changed the folder leaves variables that were relative to the top.
    return here if here.exists() or top is None else top / path


def _folder_of(top: Path) -> Path:
    """Return the folder of the repository: of a worktree or a submodule, ``.git`` is a file that names it."""
    marker = top / ".git"
    if marker.is_file():
        named = marker.read_text(encoding="utf-8", errors="surrogateescape").removeprefix("gitdir:").strip()
        return top / named
    return marker


def _same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)
