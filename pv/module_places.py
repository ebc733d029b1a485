"""Where code lies: the folders of the interpreter and of the engine, and the real paths of many files."""

from __future__ import annotations

import os
import stat
import sys
import sysconfig
from pathlib import Path

__all__ = ["LIBRARIES", "STANDARD", "RealPaths", "environment_of"]

_PLACES = sysconfig.get_paths()
STANDARD = frozenset(os.path.realpath(_PLACES[name]) for name in ("stdlib", "platstdlib"))
"""The folders of the standard library: worked out here, before any code of a project runs."""
LIBRARIES = frozenset(os.path.realpath(_PLACES[name]) for name in ("purelib", "platlib"))
"""The folders of what is installed, likewise."""
_ENGINE = os.path.dirname(os.path.realpath(__file__))  # noqa: PTH120


def environment_of(project: str) -> list[str]:
    """Return the folders of the interpreter and of the engine, in which nothing is of `project`."""
    places = [*sorted(STANDARD), *sorted(LIBRARIES)]
    # Only one that lies in the project: that of the system, such as /usr, may hold the project itself.
    if Path(project) in Path(sys.prefix).parents:
        places.append(os.path.realpath(sys.prefix))
    return [*places, _ENGINE]


class RealPaths:
    """Real paths of thousands of files, of which many lie in one folder: each folder is followed once."""

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}

    def __call__(self, path: str) -> str:
        """Return `path` as `os.path.realpath` does."""
        folder, name = os.path.split(path)
        if name in {"", ".", ".."} or not _is_there_itself(path):
            return os.path.realpath(path)
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        return os.path.join(self._folders[folder], name)  # noqa: PTH118


def _is_there_itself(path: str) -> bool:
    try:
        return not stat.S_ISLNK(os.lstat(path).st_mode)
    except (OSError, ValueError):
        return False
