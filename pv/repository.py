"""Which files a command line names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pv.errors import SelectionError

__all__ = ["find_contracts", "resolved_contracts"]


def find_contracts(paths: Sequence[str]) -> list[Path]:
    """Return the YAML files that `paths` name, each once: files as given, folders searched in order.

    A folder gives its ``*.yaml`` and ``*.yml`` at every depth, sorted, without hidden files and folders.

    Raises
    ------
    SelectionError
        A path is not there, is no regular file, or holds nothing: nothing checked is never green.
    """
    return [*resolved_contracts(paths).values()]


def resolved_contracts(paths: Sequence[str]) -> Mapping[str, Path]:
    """Return what :func:`find_contracts` does, by the absolute path of each file without links.

    Raises
    ------
    SelectionError
        Likewise.
    """
    found: dict[str, Path] = {}
    for path in paths:
        for file in _named(path):
            found.setdefault(file.resolved or os.path.realpath(file.path), file.path)
    if not found:
        raise SelectionError("no path was given", remedy="Name a contract or a folder with contracts.")
    return found


class _File(NamedTuple):
    """A file that was named or found; `resolved` is empty of one that may be a link, or no regular file."""

    steps: tuple[str, ...]
    path: Path
    resolved: str


def _named(path: str) -> list[_File]:
    if "\0" in path:
        raise SelectionError("a path cannot contain NUL", remedy="Name a YAML file or a folder.")
    is_folder = Path(path).is_dir()
    files = sorted(_search(path)) if is_folder else [_File((), Path(path), "")]
    if not files:
        raise SelectionError(f"no *.yaml or *.yml file in {path}", remedy="Name a folder with contracts.")
    for _, file, resolved in files:
        if resolved:
            continue
        if not os.path.lexists(file):
            raise SelectionError(f"there is no file or folder {file}", remedy="Name one that is there.")
        if not file.is_file():
            raise SelectionError(f"{file} is not a regular file", remedy="Name a YAML file or a folder.")
    return files


def _search(top: str) -> Iterator[_File]:
    """Yield the files below `top`; what a folder's own entry says of a file is not asked for again."""
    waiting: list[tuple[str, str, tuple[str, ...]]] = [(top, os.path.realpath(top), ())]
    while waiting:
        folder, resolved, steps = waiting.pop()
        try:
            with os.scandir(folder) as listed:
                entries = [entry for entry in listed if not entry.name.startswith(".")]
        except OSError as error:
            what = f"cannot read the folder {error.filename}: {(error.strerror or str(error)).lower()}"
            raise SelectionError(what, remedy="Make it readable, or name the contracts one by one.") from None
        below = []
        for entry in entries:
            name = entry.name
            if _is(entry.is_dir):
                if not _is(entry.is_symlink):
                    below.append((os.path.join(folder, name), os.path.join(resolved, name), (*steps, name)))  # noqa: PTH118  (of thousands)
            elif name.endswith((".yaml", ".yml")):
                plain = not _is(entry.is_symlink) and _is(entry.is_file)
                yield _File((*steps, name), Path(folder, name), os.path.join(resolved, name) if plain else "")  # noqa: PTH118
        waiting += reversed(below)


def _is(ask: Callable[[], bool]) -> bool:
    try:
        return ask()
    except OSError:  # as with a link that leads to itself
        return False
