"""The git commit that a run was made at, where there is one."""

from __future__ import annotations

import subprocess
from pathlib import Path

__all__ = ["committed", "revision"]


def revision(root: Path, *, ignoring: str) -> dict[str, str | bool | None]:
    """Return ``{"commit": …, "dirty": …}``; both None outside of a repository.

    Changes below the folder `ignoring` (relative to `root`) do not make the tree dirty: a run that
    writes evidence would otherwise call the next one dirty.
    """
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return {"commit": None, "dirty": None}
    changes = _git(root, "status", "--porcelain", "--", ".", f":(exclude){ignoring}")
    return {"commit": commit.decode().strip(), "dirty": bool(changes) if changes is not None else None}


def committed(root: Path, reference: str, relative: str) -> bytes | None:
    """Return the file `relative` to `root` as it stands at `reference`; None where it does not."""
    return _git(root, "show", f"{reference}:./{relative}")


def _git(root: Path, *arguments: str) -> bytes | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None
