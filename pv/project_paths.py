"""Paths that a contract names: relative to the project's root, and inside it."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from pv.config import Config
from pv.errors import BindingError, Location

__all__ = ["project_path"]


def project_path(name: str, config: Config, where: Location) -> Path:
    """Return the file or folder `name` of the project.

    Raises
    ------
    BindingError
        It is not there, or not inside: evidence must mean the same on every host.
    """
    pure = PurePosixPath(name)
    if not name or pure.is_absolute() or ".." in pure.parts:
        raise BindingError(
            f"{name!r} is no path inside the project",
            where=where,
            remedy="write it relative to the folder of pv.toml",
        )
    path = config.root / pure
    if not path.exists():
        raise BindingError(
            f"there is no {name} in the project", where=where, remedy="correct the path, or add the file"
        )
    if not path.resolve().is_relative_to(config.root.resolve()):
        raise BindingError(
            f"{name} is a link that leads out of the project", where=where, remedy="name a file inside it"
        )
    return path
