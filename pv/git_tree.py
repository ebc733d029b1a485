"""What git's index or a commit holds, and what changed in it since another commit; nothing of it is read."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from typing import Self

from pv.errors import SelectionError
from pv.git import Repository

__all__ = ["Changed", "Entry", "Tree", "read_commit", "read_index"]

_EMPTY_BLOBS = frozenset(
    {
        "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
        "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813",
    }
)
"""The name of the empty file, in both of git's object formats."""
_MOST_PATHS = 1000
_LINK = "120000"
_FILES = frozenset({"100644", "100755", "100664"})


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """A file or a symbolic link, by the name of its blob."""

    mode: str
    blob: str

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link."""
        return self.mode == _LINK


@dataclasses.dataclass(frozen=True, slots=True)
class Changed:
    """What one path was and is; None where it is not there."""

    before: Entry | None
    after: Entry | None


@dataclasses.dataclass(frozen=True)
class Tree:
    """Path (relative to the top of the repository) → entry; and what changed since `base`, by path.

    `base` is a commit, or None where there is no commit yet.
    """

    name: str
    base: str | None
    entries: Mapping[str, Entry]
    changed: Mapping[str, Changed]

    def everything_changed(self) -> Self:
        """Return it as it looks to who knows no base."""
        changed = {path: Changed(None, entry) for path, entry in self.entries.items()}
        return dataclasses.replace(self, base=None, changed=changed)


def read_index(repository: Repository, base: str | None) -> Tree:
    """Read git's index, the one that ``GIT_INDEX_FILE`` names, against the commit `base`.

    Raises
    ------
    SelectionError
        Paths are not merged yet, or git cannot tell.
    """
    entries: dict[str, Entry] = {}
    unmerged: dict[str, None] = {}
    for line in repository.run("ls-files", "--stage", "--full-name", "-z").split(b"\0"):
        if line:
            head, _, name = line.partition(b"\t")
            mode, blob, stage = head.decode("ascii").split()
            path = _path(name)
            if stage != "0":
                unmerged[path] = None
            elif mode == _LINK or mode in _FILES:
                entries[path] = Entry(mode, blob)
    if unmerged:
        raise SelectionError(
            f"{len(unmerged)} path(s) are not merged yet, such as {next(iter(unmerged))}",
            remedy="resolve the conflict and `git add` what holds",
        )
    for path in _announced(repository, entries):
        entries.pop(path, None)
    tree = Tree("index", base, entries, {})
    if base is None:
        return tree.everything_changed()
    said = repository.run("diff-index", "--cached", "--raw", "--no-abbrev", "--no-renames", "-z", base, "--")
    return dataclasses.replace(tree, changed=dict(_changes(said)))


def read_commit(repository: Repository, commit: str, base: str | None) -> Tree:
    """Read the tree of `commit` against that of the commit `base`.

    Raises
    ------
    SelectionError
        Git does not have them.
    """
    entries: dict[str, Entry] = {}
    for line in repository.run("ls-tree", "-r", "-z", "--full-tree", commit).split(b"\0"):
        if line:
            head, _, name = line.partition(b"\t")
            mode, kind, blob = head.decode("ascii").split()
            if kind == "blob":  # a submodule is another repository
                entries[_path(name)] = Entry(mode, blob)
    tree = Tree(commit, base, entries, {})
    if base is None:
        return tree.everything_changed()
    said = repository.run("diff-tree", "-r", "--raw", "--no-abbrev", "--no-renames", "-z", base, commit, "--")
    return dataclasses.replace(tree, changed=dict(_changes(said)))


def _announced(repository: Repository, entries: Mapping[str, Entry]) -> Iterator[str]:
    """Yield what ``git add --intent-to-add`` announced: listed as an empty file, it is in no commit yet."""
    empty = [path for path, entry in entries.items() if entry.blob in _EMPTY_BLOBS]
    if empty:
        # Of these paths alone: git looks at the file of each path that it is asked for.
        words = ["--", *empty] if len(empty) <= _MOST_PATHS else []
        ask = ("--literal-pathspecs", "diff-files", "--diff-filter=A", "--name-only", "-z")
        said = repository.unfiltered().run(*ask, *words)
        yield from (os.fsdecode(name) for name in said.split(b"\0") if name)


def _changes(said: bytes) -> Iterator[tuple[str, Changed]]:
    # ":<mode> <mode> <blob> <blob> <status>\0<path>\0"
    words = said.split(b"\0")
    for head, name in zip(words[::2], words[1::2], strict=False):
        before, after, old, new, _ = head.decode("ascii").removeprefix(":").split()
        yield _path(name), Changed(_entry(before, old), _entry(after, new))


def _entry(mode: str, blob: str) -> Entry | None:
    return Entry(mode, blob) if mode == _LINK or mode in _FILES else None


def _path(name: bytes) -> str:
    path = os.fsdecode(name)
    if path.startswith("/") or not {"..", ".git", ""}.isdisjoint(path.split("/")):
        raise SelectionError(f"git lists a file named {path}", remedy="mend the repository")
    return path
