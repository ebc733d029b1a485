"""Which paths of a repository mean what to a project: contracts, evidence, sources, by what ``pv.toml`` says.

It is read from the tree that is judged. A ``pv.toml`` that cannot be read has the defaults here; loading it
says what is wrong with it.
"""

from __future__ import annotations

import dataclasses
import posixpath
from collections.abc import Mapping
from typing import Any

from pv.config import FILE_NAME
from pv.toml_text import parse_toml

__all__ = ["Layout", "is_below", "layout_of"]


@dataclasses.dataclass(frozen=True)
class Layout:
    """The places of a project, relative to the top of its repository and without an end slash."""

    prefix: str
    """The folder of the project; empty at the top."""
    settings: str
    contracts: tuple[str, ...]
    evidence: str
    sources: tuple[str, ...]
    waivers: str
    subjects: Mapping[str, Mapping[str, Any]]
    """Name → what ``pv.toml`` says of it."""

    def is_contract(self, path: str) -> bool:
        """Tell whether commands that are given no path read `path` as a contract."""
        for folder in self.contracts:
            if path == folder:
                return True
            rest = path[len(folder) + 1 :] if folder else path
            if is_below(path, folder) and path.endswith((".yaml", ".yml")) and "/." not in f"/{rest}":
                return True
        return False

    def recorded(self, path: str) -> str | None:
        """Return the stem of the contract that a file of evidence is about; None for other files."""
        if not is_below(path, self.evidence):
            return None
        stem, _, rest = path[len(self.evidence) + 1 :].partition("/")
        return stem if rest else None

    def is_source(self, path: str) -> bool:
        """Tell whether a check could import `path`."""
        return path.endswith(".py") and any(is_below(path, folder) for folder in self.sources)

    def is_within(self, path: str) -> bool:
        """Tell whether `path` is a file of the project."""
        return is_below(path, self.prefix)

    def is_subject(self, path: str) -> bool:
        """Tell whether `path` is, or lies in, what a subject names: its pin stands for its bytes."""
        return any(path == place or is_below(path, place) for place in self._subject_places if place)

    @property
    def _subject_places(self) -> tuple[str, ...]:
        named = (table.get("path") for table in self.subjects.values())
        return tuple(_normal(self.prefix, path) for path in named if isinstance(path, str))

    def within(self, name: str) -> str:
        """Return the path of what the project calls `name`."""
        return _normal(self.prefix, name)


def is_below(path: str, folder: str) -> bool:
    """Tell whether `path` lies in `folder`, at whatever depth; all lie in the empty one."""
    return not folder or path.startswith(f"{folder}/")


def layout_of(prefix: str, settings: bytes | None) -> Layout:
    """Return the layout of the project in the folder `prefix`, whose ``pv.toml``, if any, has these bytes."""
    stated: dict[str, Any] = {}
    if settings is not None:
        try:
            stated = parse_toml(settings)
        except ValueError:
            stated = {}
    project = _table(stated.get("project"))
    subjects = _table(stated.get("subjects"))
    return Layout(
        prefix=prefix,
        settings=_normal(prefix, FILE_NAME),
        contracts=tuple(_normal(prefix, name) for name in _names(project.get("contracts"), "contracts")),
        evidence=_normal(prefix, next(iter(_names([project.get("evidence")], "evidence")))),
        sources=tuple(_normal(prefix, name) for name in _names(project.get("sources"), ".")),
        waivers=_normal(prefix, next(iter(_names([project.get("waivers")], "waivers.yaml")))),
        subjects={name: _table(table) for name, table in subjects.items()},
    )


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _names(value: Any, otherwise: str) -> tuple[str, ...]:
    names = tuple(name for name in value if isinstance(name, str) and name) if isinstance(value, list) else ()
    return names or (otherwise,)


def _normal(prefix: str, name: str) -> str:
    path = posixpath.normpath(posixpath.join(prefix, name))
    return "" if path == "." else path
