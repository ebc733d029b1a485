"""``pv.toml``: where a project keeps its contracts, evidence, sources and subjects."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_core import SchemaValidator, ValidationError
from pydantic_core import core_schema as core

from pv.errors import ConfigError, Location
from pv.gate_policy import DEFAULT_POLICY, FIELDS, GatePolicy, policy_of
from pv.toml_text import parse_toml

if TYPE_CHECKING:
    from pv.binding import Binding
    from pv.closure import Closure
    from pv.contract import Contract

__all__ = ["FILE_NAME", "Config", "SubjectSpec", "find_root", "load_config"]

FILE_NAME = "pv.toml"
_MAXIMUM_BYTES = 1 << 20

_NAME = core.str_schema(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
_REFERENCE = core.str_schema(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")
_SHA256 = core.str_schema(pattern=r"^[0-9a-f]{64}$")


def _table(
    required: Mapping[str, core.CoreSchema], optional: Mapping[str, core.CoreSchema]
) -> core.CoreSchema:
    """Return the schema of a table that has `required`, may have `optional`, and nothing else."""
    fields = {key: core.typed_dict_field(schema) for key, schema in required.items()}
    fields |= {key: core.typed_dict_field(schema, required=False) for key, schema in optional.items()}
    return core.typed_dict_schema(fields, extra_behavior="forbid")


_PATH = core.str_schema(min_length=1, pattern=r"^[^\x00]*$")
"""No path of an operating system holds a NUL: asking for one is an error, not an absent file."""


def _built_from_one(subject: dict[str, Any]) -> dict[str, Any]:
    if "builder" in subject and len(subject.get("derived_from", ())) != 1:
        raise ValueError("a builder needs exactly one name in derived_from: what it builds from")
    return subject


_SUBJECT = core.no_info_after_validator_function(
    _built_from_one,
    _table(
        {"path": _PATH},
        {
            "loader": _REFERENCE,
            "files": core.list_schema(_PATH),
            "sha256": _SHA256,
            "builder": _REFERENCE,
            "with": core.dict_schema(core.str_schema(), core.any_schema()),
            "derived_from": core.list_schema(_NAME),
            "how_to_get": core.str_schema(),
        },
    ),
)
_PROJECT = _table(
    {},
    {
        "contracts": core.list_schema(_PATH, min_length=1),
        "evidence": _PATH,
        "sources": core.list_schema(_PATH, min_length=1),
        "waivers": _PATH,
    },
)
_GATE = _table({}, FIELDS)
_EXECUTORS = core.dict_schema(
    _NAME,
    core.dict_schema(
        core.str_schema(), core.union_schema([core.str_schema(), core.int_schema(), core.bool_schema()])
    ),
)
_URL = core.str_schema(pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20]+$")
_STORE = _table({"url": _URL}, {})
_LEDGER = _table({}, {"url": _URL, "record": core.bool_schema(strict=True)})
_SIGNATURES = _table({"policy": _PATH}, {})
_FILE = _table(
    {},
    {
        "project": _PROJECT,
        "subjects": core.dict_schema(_NAME, _SUBJECT),
        "executors": _EXECUTORS,
        "store": _STORE,
        "ledger": _LEDGER,
        "gate": _GATE,
        "signatures": _SIGNATURES,
    },
)
"""The shape of ``pv.toml``, for pydantic's core: its classes would take longer than all of `pv validate`."""


@dataclasses.dataclass(frozen=True)
class SubjectSpec:
    """A named artefact as ``pv.toml`` states it; `loader` is empty where only paths are passed on.

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
    waivers: Path | None = None
    """The file of waivers; None where ``pv.toml`` names none and there is no ``waivers.yaml``."""
    gate: GatePolicy = DEFAULT_POLICY
    """How ``pv gate`` ends where nobody says it on the command line."""
    executors: Mapping[str, Mapping[str, str | int | bool]] = dataclasses.field(default_factory=dict)
    """Executor → its settings; :func:`pv.executors.parse_settings` reads them."""
    store: str | None = None
    """URL of the history of records that several hosts share."""
    ledger: str | None = None
    """URL of the ledger; None for SQLite below ``.pv/``."""
    records_to_ledger: bool = False
    """Whether sweeps enter what they recorded into the ledger."""
    policies: Mapping[str, Path] = dataclasses.field(default_factory=dict)
    """Policies that a record must satisfy to count, each of them: what messages call it → its file."""
    read_policies: dict[Path, Any] = dataclasses.field(default_factory=dict, compare=False, repr=False)
    """Those that were read so far: a command holds records against one and the same."""
    closures: dict[frozenset[str], Closure] = dataclasses.field(
        default_factory=dict, compare=False, repr=False
    )
    """Source closures found so far: a command sees the sources as they were when it first looked."""
    bindings: dict[str, Binding] = dataclasses.field(default_factory=dict, compare=False, repr=False)
    everything: list[Contract] = dataclasses.field(default_factory=list, compare=False, repr=False)
    """Every contract of the project, once they were loaded."""
    """Checks bound so far, likewise."""
    revision: dict[str, str | bool | None] = dataclasses.field(
        default_factory=dict, compare=False, repr=False
    )
    """The git commit of the tree, once it was asked for: that at which the command began to record."""
    past: dict[str, Any] = dataclasses.field(default_factory=dict, compare=False, repr=False)
    """What git, the ledger and the store were found to hold, by which of them: listed once a command."""
    names: dict[Path, str] = dataclasses.field(default_factory=dict, compare=False, repr=False)
    """What paths are called relative to the root: statuses ask for the same ones again and again."""

    def relative(self, path: Path, resolved: str | None = None) -> str:
        """Return `path` relative to the root; outside of it its name alone: no absolute path leaves.

        `resolved` is the absolute path without links, of which that can be told sooner.
        """
        if path not in self.names:
            try:
                absolute = path.resolve() if resolved is None else Path(resolved)
                self.names[path] = absolute.relative_to(self.root).as_posix()
            except ValueError:
                self.names[path] = path.name
        return self.names[path]


def _waivers(root: Path, named: str | None) -> Path | None:
    path = root / (named or "waivers.yaml")
    # A file that is named must be there when it is read; a broken link is a file that cannot be read.
    return path if named or path.exists() or path.is_symlink() else None


def _refuse_circles(derived_from: Mapping[str, Sequence[str]]) -> None:
    for start in derived_from:
        seen: set[str] = set()
        waiting = list(derived_from[start])
        while waiting:
            name = waiting.pop()
            if name == start:
                raise ConfigError(
                    f"subjects.{start}.derived_from: it would be derived from itself",
                    where=Location(FILE_NAME, 1, 1),
                    remedy="name what it is really made from",
                )
            if name not in seen:
                seen.add(name)
                waiting += derived_from.get(name, ())


def find_root(start: Path) -> Path | None:
    """Walk up from `start` to the folder that holds ``pv.toml``; None where there is none."""
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / FILE_NAME).is_file():
            return folder
    return None


def _read(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        data = file.read(_MAXIMUM_BYTES + 1)
    if len(data) > _MAXIMUM_BYTES:
        raise ValueError(f"it is larger than {_MAXIMUM_BYTES:,} bytes")
    return parse_toml(data)


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
        stated: dict[str, Any] = {}
    else:
        path = root / FILE_NAME
        try:
            stated = SchemaValidator(_FILE).validate_python(_read(path))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            key = ".".join(str(part) for part in first["loc"])
            raise ConfigError(
                f"{key}: {first['msg']}",
                where=Location(FILE_NAME, 1, 1),
                remedy="docs/configuration.md lists every key",
            ) from error
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"cannot read it as TOML: {error}", where=Location(FILE_NAME, 1, 1), remedy="mend the file"
            ) from error
    project = stated.get("project", {})
    _refuse_circles({name: s.get("derived_from", ()) for name, s in stated.get("subjects", {}).items()})
    return Config(
        root=root,
        contracts=tuple(project.get("contracts", ("contracts",))),
        evidence=root / project.get("evidence", "evidence"),
        sources=tuple((root / source).resolve() for source in project.get("sources", (".",))),
        waivers=_waivers(root, project.get("waivers")),
        gate=policy_of(stated.get("gate", {})),
        executors=stated.get("executors", {}),
        store=stated.get("store", {}).get("url"),
        ledger=stated.get("ledger", {}).get("url"),
        records_to_ledger=stated.get("ledger", {}).get("record", False),
        policies={name: root / name for name in stated.get("signatures", {}).values()},
        subjects={
            name: SubjectSpec(
                name=name,
                path=subject["path"],
                files=tuple(subject.get("files", ())),
                sha256=subject.get("sha256"),
                loader=subject.get("loader", ""),
                builder=subject.get("builder"),
                arguments=subject.get("with", {}),
                derived_from=tuple(subject.get("derived_from", ())),
                how_to_get=subject.get("how_to_get", ""),
            )
            for name, subject in stated.get("subjects", {}).items()
        },
    )
