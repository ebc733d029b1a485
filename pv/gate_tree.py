"""The parts of a git tree that a judgement reads, in a temporary folder: first as staged, then as before.

The working tree is not looked at: what is staged may differ from it, and what lies there untracked is in no
commit. Only what is asked for is written, so that a commit of one contract waits for one contract.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

from pv.git import Repository
from pv.git_tree import Entry, Tree
from pv.revision_tree import LARGEST_SUBJECT_BYTES

__all__ = ["PartialTree"]


class PartialTree:
    """Some files of `tree`, below :attr:`top`; the context takes the folder away again."""

    def __init__(self, repository: Repository, tree: Tree) -> None:
        self.repository = repository
        self.tree = tree
        self.present: set[str] = set()
        self._held = contextlib.ExitStack()

    def __enter__(self) -> Self:
        folder = self._held.enter_context(tempfile.TemporaryDirectory(prefix="pv-gate-"))
        # One folder deeper: what a pv.toml calls "..", is empty as well.
        self.top = Path(folder).resolve() / "tree"
        self.top.mkdir()
        (self.top / ".git").mkdir()  # whoever looks for the top of the repository ends here
        return self

    def __exit__(self, *_ended: object) -> None:
        self._held.close()

    def add(self, paths: Iterable[str]) -> None:
        """Write those of `paths` that the tree has and that are not here yet.

        Raises
        ------
        SelectionError
            Git does not have the bytes.
        """
        entries = self.tree.entries
        wanted = {path: entries[path] for path in paths if path in entries and path not in self.present}
        self.present |= wanted.keys()
        self._write(wanted)
        if targets := [one for path in wanted if wanted[path].is_link and (one := self.target(path))]:
            self.add(targets)

    def target(self, path: str) -> str:
        """Return what the symbolic link `path` leads to, as a path of the repository; empty where to nothing.

        Raises
        ------
        SelectionError
            Git does not have the bytes.
        """
        (data,) = self.repository.blobs([self.tree.entries[path].blob])
        found = posixpath.normpath(posixpath.join(posixpath.dirname(path), os.fsdecode(data)))
        return found if found in self.tree.entries else ""

    def add_small(self, paths: Iterable[str]) -> None:
        """Write files as :meth:`add` does; in the place of one that is large, an empty one, which is there.

        Raises
        ------
        SelectionError
            Git does not have the bytes.
        """
        wanted = [
            path for path in dict.fromkeys(paths) if path in self.tree.entries and path not in self.present
        ]
        sizes = self.repository.sizes([self.tree.entries[path].blob for path in wanted])
        small = [path for path, size in zip(wanted, sizes, strict=True) if size <= LARGEST_SUBJECT_BYTES]
        self.add(small)
        for path in {*wanted} - {*small}:
            place = self.top / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()

    def add_deleted(self, paths: Iterable[str]) -> list[str]:
        """Write what the change takes away as it was, until :meth:`remove`; return which paths that is."""
        changed = self.tree.changed
        gone = {
            path: before
            for path in paths
            if path in changed and changed[path].after is None and (before := changed[path].before)
        }
        self._write(gone)
        return list(gone)

    def remove(self, paths: Iterable[str]) -> None:
        """Take files away."""
        for path in paths:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                self.top.joinpath(path).unlink()

    def turn_back(self, paths: Iterable[str]) -> None:
        """Make each of `paths` what it was before the change; the rest is the same at both ends.

        Raises
        ------
        SelectionError
            Git does not have the bytes.
        """
        listed = [path for path in paths if path in self.tree.changed]
        self.remove(listed)
        before = {path: self.tree.changed[path].before for path in listed}
        self._write({path: entry for path, entry in before.items() if entry is not None})

    def show(self, path: str) -> str:
        """Return `path`, absolute and within the folder, relative to the top of the repository."""
        return path.removeprefix(f"{self.top}/")

    def _write(self, wanted: dict[str, Entry]) -> None:
        if not wanted:
            return
        # Links last, so that no file is written through one.
        ordered = sorted(wanted, key=lambda path: wanted[path].is_link)
        made: set[str] = set()
        for path, data in self._with_bytes(ordered, wanted):
            target = f"{self.top}/{path}"
            folder = os.path.dirname(target)  # noqa: PTH120 -- thousands of them
            if folder not in made:
                os.makedirs(folder, exist_ok=True)  # noqa: PTH103
                made.add(folder)
            if wanted[path].is_link:
                _link(self.top, Path(target), os.fsdecode(data))
            else:
                with open(target, "wb") as file:  # noqa: PTH123
                    file.write(data)

    def _with_bytes(self, paths: list[str], wanted: dict[str, Entry]) -> Iterator[tuple[str, bytes]]:
        return zip(paths, self.repository.blobs([wanted[path].blob for path in paths]), strict=True)


def _link(top: Path, path: Path, target: str) -> None:
    """Make a symbolic link, but none that leads out of the folder: what lies there is in no commit."""
    end = Path(os.path.normpath(path.parent / target))
    if end.is_relative_to(top) and not os.path.lexists(path):
        path.symlink_to(target)
