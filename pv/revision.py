"""The git commit that a run was made at, where there is one."""

from __future__ import annotations

import subprocess
from pathlib import Path

from pv.errors import SelectionError

__all__ = ["committed_folder", "revision"]


def revision(root: Path, *, ignoring: str) -> dict[str, str | bool | None]:
    """Return ``{"commit": …, "dirty": …}``; both None outside of a repository.

    Changes below the folder `ignoring` (relative to `root`) do not make the tree dirty: a run that
    writes evidence would otherwise call the next one dirty.
    """
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return {"commit": None, "dirty": None}
    changes = _git(root, "status", "--porcelain", "--", ".", f":(exclude){ignoring}", ":(exclude).pv")
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


def _git(root: Path, *arguments: str) -> bytes | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, timeout=60, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None
