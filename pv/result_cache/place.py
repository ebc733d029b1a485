"""Where results are remembered: in the user's folder of caches, which no repository can write to.

What lies in a repository may have come with somebody's pull request. So a folder of caches that lies in one
is not used, nor one that others may write to, or read.
"""

from __future__ import annotations

import os
import stat

__all__ = ["MARKS", "find_place", "is_ours", "make_place"]

MARKS = (".git", ".hg", ".svn", "pv.toml")
"""What makes a folder a repository or a project."""


def find_place() -> str | None:
    """Return the folder for results, there or not; None where nothing is to be remembered.

    ``PV_NO_CACHE`` says so, and ``CI``: machines of CI begin with no cache, or with one that others filled.
    """
    if os.environ.get("PV_NO_CACHE") or os.environ.get("CI"):
        return None
    caches = os.environ.get("XDG_CACHE_HOME", "")
    if not caches.startswith("/"):  # the specification has relative ones ignored
        home = os.environ.get("HOME", "")
        if not home.startswith("/"):
            return None
        caches = f"{home}/.cache"
    place = os.path.realpath(f"{caches}/pv/results")
    return None if _in_a_repository(place) else place


def _in_a_repository(place: str) -> bool:
    """Tell whether `place` lies below the working folder, or in a repository or a project."""
    try:
        here = os.getcwd()  # noqa: PTH109
    except OSError:
        return True
    if place.startswith(here.rstrip("/") + "/"):
        return True
    folder = place
    while folder != "/":
        folder = os.path.dirname(folder)  # noqa: PTH120  as above: `pathlib` takes longer than all of this
        if any(os.path.lexists(f"{folder.rstrip('/')}/{mark}") for mark in MARKS):
            return True
    return False


def make_place(place: str) -> None:
    """Make the folder, for its owner alone.

    Raises
    ------
    OSError
        It cannot be made.
    """
    os.makedirs(os.path.dirname(place), exist_ok=True)  # noqa: PTH103, PTH120
    if not os.path.isdir(place):  # noqa: PTH112
        os.mkdir(place, 0o700)  # noqa: PTH102


def is_ours(status: os.stat_result) -> bool:
    """Tell whether something belongs to this user, and nobody else may write to it or read it."""
    return status.st_uid == os.geteuid() and not stat.S_IMODE(status.st_mode) & 0o077
