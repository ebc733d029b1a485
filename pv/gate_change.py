"""From what the command line says to the tree that is judged, and to the projects in it."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from pv.config import FILE_NAME, find_root
from pv.errors import ConfigError, SelectionError
from pv.git import Repository
from pv.git_tree import Tree, read_commit, read_index

__all__ = ["projects_of", "wanted_change"]


def wanted_change(arguments: argparse.Namespace, repository: Repository) -> tuple[Tree, str]:
    """Return the tree that is judged, with what changed in it, and in words what that is.

    Raises
    ------
    ConfigError
        Options contradict each other.
    SelectionError
        A revision is none of this repository.
    """
    first, then = arguments.from_ref, arguments.to_ref
    if not (first or then or arguments.base or arguments.all_files):
        # What pre-commit was given: https://pre-commit.com/#pre-commit-for-ci
        first, then = os.environ.get("PRE_COMMIT_FROM_REF"), os.environ.get("PRE_COMMIT_TO_REF")
    if bool(first) != bool(then):
        raise ConfigError("--from-ref and --to-ref need each other", remedy="name both commits")
    if first and arguments.base:
        raise ConfigError("--base and --from-ref exclude each other", remedy="leave one of them out")
    if first:
        last = _commit(repository, then)
        base = None if not first.strip("0") else _common(repository, _commit(repository, first), last)
        return read_commit(repository, last, base), f"{_short(last)} against {_short(base)}"
    head = repository.commit("HEAD")
    if arguments.base:
        other = _commit(repository, arguments.base)
        base = _common(repository, other, head) if head else other
        return read_index(repository, base), f"what is staged against {arguments.base} ({_short(base)})"
    return read_index(
        repository, head
    ), f"what is staged against {f'HEAD ({_short(head)})' if head else 'nothing'}"


def _commit(repository: Repository, reference: str) -> str:
    found = repository.commit(reference)
    if found is None:
        raise SelectionError(
            f"{reference!r} is no git revision here",
            remedy="name a commit, a branch or a tag; a shallow clone must fetch it first",
        )
    return found


def _common(repository: Repository, one: str, other: str) -> str:
    """Return the last commit that two have in common; without one, the first itself."""
    try:
        return repository.text("merge-base", one, other).partition("\n")[0]
    except SelectionError:
        note = "have no commit in common here, perhaps for want of history: compared as they are"
        print(f"note: {_short(one)} and {_short(other)} {note}", file=sys.stderr)
        return one


def _short(commit: str | None) -> str:
    return commit[:10] if commit else "nothing"


def projects_of(tree: Tree, repository: Repository, folder: Path) -> list[str]:
    """Return the folders of the projects that a command in `folder` is about, relative to the top.

    That is the one around `folder`. Where there is none, as for a hook that git runs at the top, it is every
    outermost one of the repository; and where there is none of these either, the top with the defaults.

    Raises
    ------
    SelectionError
        The project around `folder` is not in the repository.
    """
    top = repository.top.resolve()
    root = find_root(folder)
    if root is not None:
        if not root.is_relative_to(top):
            raise SelectionError(
                "the project lies outside of this git repository",
                remedy="run it in the repository of pv.toml",
            )
        return ["" if root == top else root.relative_to(top).as_posix()]
    below = "" if folder.resolve() == top else f"{folder.resolve().relative_to(top).as_posix()}/"
    known = {*tree.entries, *tree.changed}
    ending = f"/{FILE_NAME}"
    folders = sorted(
        path.removesuffix(FILE_NAME).rstrip("/")
        for path in known
        if f"/{path}".endswith(ending) and path.startswith(below)
    )
    outermost: list[str] = []
    for one in folders:
        if not any(not other or one.startswith(f"{other}/") for other in outermost):
            outermost.append(one)
    return outermost or [""]
