"""Which files a command line names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from pv.errors import SelectionError

__all__ = ["find_contracts"]


def find_contracts(paths: Sequence[str]) -> list[Path]:
    """Return the YAML files that `paths` name, each once: files as given, folders searched in order.

    A folder gives its ``*.yaml`` and ``*.yml`` at every depth, sorted, without hidden files and folders.

    Raises
    ------
    SelectionError
        A path is not there, is no regular file, or holds nothing: nothing checked is never green.
    """
    found: dict[str, Path] = {}
    for path in paths:
        for file in _named(path):
            found.setdefault(os.path.realpath(file), file)
    if not found:
        raise SelectionError("no path was given", remedy="Name a contract or a folder with contracts.")
    return list(found.values())


def _named(path: str) -> list[Path]:
    if "\0" in path:
        raise SelectionError("a path cannot contain NUL", remedy="Name a YAML file or a folder.")
    is_folder = Path(path).is_dir()
    files = sorted(_search(path)) if is_folder else [Path(path)]
    if not files:
        raise SelectionError(f"no *.yaml or *.yml file in {path}", remedy="Name a folder with contracts.")
    for file in files:
        if not os.path.lexists(file):
            raise SelectionError(f"there is no file or folder {file}", remedy="Name one that is there.")
        if not file.is_file():
            raise SelectionError(f"{file} is not a regular file", remedy="Name a YAML file or a folder.")
    return files


def _search(folder: str) -> Iterator[Path]:
    def unreadable(error: OSError) -> None:
        what = f"cannot read the folder {error.filename}: {(error.strerror or str(error)).lower()}"
        raise SelectionError(what, remedy="Make it readable, or name the contracts one by one.") from None

    for parent, folders, files in os.walk(folder, onerror=unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if name.endswith((".yaml", ".yml")) and not name.startswith("."):
                yield Path(parent, name)
