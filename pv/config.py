"""``pv.toml``: where a project keeps its contracts, evidence, sources and subjects."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from pv.errors import ConfigError, Location

__all__ = ["FILE_NAME", "Config", "SubjectSpec", "find_root", "load_config"]

FILE_NAME = "pv.toml"

_Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_Reference = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
_Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class _Subject(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    path: str = ""
    files: tuple[str, ...] = ()
    sha256: _Sha256 | None = None
    loader: _Reference
    builder: _Reference | None = None
    arguments: dict[str, Any] = Field(default_factory=dict, alias="with")
    derived_from: tuple[_Name, ...] = ()
    how_to_get: str = ""

    @model_validator(mode="after")
    def _has_bytes(self) -> _Subject:
        if not self.path:
            raise ValueError("a subject needs a path (with a builder: the name of the file it writes)")
        if self.builder and len(self.derived_from) != 1:
            raise ValueError("a builder needs exactly one name in derived_from: what it builds from")
        return self


class _Project(BaseModel):
    model_config = ConfigDict(extra="forbid")
    contracts: tuple[str, ...] = ("contracts",)
    evidence: str = "evidence"
    sources: tuple[str, ...] = (".",)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    project: _Project = _Project()
    subjects: dict[_Name, _Subject] = Field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class SubjectSpec:
    """A named artefact as ``pv.toml`` states it.

    ``path`` is relative to the project, absolute, or ``hf://owner/repo@revision/file``; for a subject
    with a ``builder`` it is the name of the file to build. ``files`` narrows a folder to what counts.
    """

    name: str
    path: str
    files: tuple[str, ...]
    sha256: str | None
    loader: str
    builder: str | None
    arguments: Mapping[str, Any]
    derived_from: tuple[str, ...]
    how_to_get: str


@dataclasses.dataclass(frozen=True)
class Config:
    """A project: its root and what ``pv.toml`` says."""

    root: Path
    contracts: tuple[str, ...]
    evidence: Path
    sources: tuple[Path, ...]
    subjects: Mapping[str, SubjectSpec]

    def relative(self, path: Path) -> str:
        """Return `path` relative to the root, or its name alone where it lies outside: no absolute path leaves."""
        try:
            return path.resolve().relative_to(self.root).as_posix()
        except ValueError:
            return path.name


def find_root(start: Path) -> Path | None:
    """Walk up from `start` to the folder that holds ``pv.toml``; None where there is none."""
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / FILE_NAME).is_file():
            return folder
    return None


def load_config(start: Path | None = None, *, required: bool = True) -> Config:
    """Read the ``pv.toml`` at or above `start` (the working folder by default).

    Raises
    ------
    ConfigError
        There is none and `required`, it is not TOML, or a key is unknown or of the wrong shape.
    """
    start = Path.cwd() if start is None else start
    root = find_root(start)
    if root is None:
        if required:
            raise ConfigError(
                f"no {FILE_NAME} here or above: which project is this?",
                remedy="run `pv init` in the root of the project, or change into it",
            )
        root = start.resolve()
        stated = _File()
    else:
        path = root / FILE_NAME
        try:
            stated = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(
                f"cannot read it as TOML: {error}", where=Location(FILE_NAME, 1, 1), remedy="mend the file"
            ) from error
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            key = ".".join(str(part) for part in first["loc"])
            raise ConfigError(
                f"{key}: {first['msg']}",
                where=Location(FILE_NAME, 1, 1),
                remedy="docs/configuration.md lists every key",
            ) from error
    return Config(
        root=root,
        contracts=stated.project.contracts,
        evidence=root / stated.project.evidence,
        sources=tuple((root / source).resolve() for source in stated.project.sources),
        subjects={
            name: SubjectSpec(
                name=name,
                path=subject.path,
                files=subject.files,
                sha256=subject.sha256,
                loader=subject.loader,
                builder=subject.builder,
                arguments=subject.arguments,
                derived_from=subject.derived_from,
                how_to_get=subject.how_to_get,
            )
            for name, subject in stated.subjects.items()
        },
    )
