"""The git commit that a run was made at, where there is one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from pv.errors import SelectionError
from pv.git_command import FILTERS, command, git_environment, without_filters

__all__ = ["committed_folder", "revision"]


def revision(root: Path, *, ignoring: str) -> dict[str, str | bool | None]:
    """Return ``{"commit": …, "dirty": …}``; both None outside of a repository.

    Changes below the folder `ignoring` (relative to `root`) do not make the tree dirty: a run that
    writes evidence would otherwise call the next one dirty. Filters of files are not run: a file that passed
    one, and was touched since, counts as changed.
    """
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return {"commit": None, "dirty": None}
    # Of a submodule, which commit it is at: what has changed in it git would find out by its own settings.
    words = ("status", "--porcelain", "--ignore-submodules=dirty")
    places = ("--", ".", f":(exclude){ignoring}", ":(exclude).pv")
    filters = _git(root, "config", "--includes", "--name-only", "-z", "--get-regexp", FILTERS)
    environment = without_filters(git_environment(), _names(filters))
    changes = _git(root, *words, *places, environment=environment)
    return {"commit": commit.decode().strip(), "dirty": bool(changes) if changes is not None else None}


def committed_folder(root: Path, reference: str, folder: str) -> dict[str, bytes]:
    """Return the files below `folder` as they stand at `reference`, by path relative to `root`.

    Raises
    ------
    SelectionError
        `reference` is no revision of a repository that holds `root`.
    """
    listed = _git(root, "ls-tree", "-r", "-z", "--name-only", reference, "--", f"{folder}/")
    if listed is None:
        raise SelectionError(
            f"{reference!r} is no git revision here", remedy="name a commit, a branch or a tag"
        )
    names = [name for name in listed.decode().split("\0") if name]
    return {name: data for name in names if (data := _git(root, "show", f"{reference}:./{name}")) is not None}


def _names(listed: bytes | None) -> list[str]:
    return [os.fsdecode(name) for name in (listed or b"").split(b"\0") if name]


def _git(root: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> bytes | None:
    try:
        done = subprocess.run(
            command("-C", str(root), *arguments),
            env=environment or git_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None
