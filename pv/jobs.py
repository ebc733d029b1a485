"""What passes between the engine and an isolated process: a job, and how it ended."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from pv.binding import Kind, Reading
from pv.check import Metric, Value

__all__ = ["Broken", "Build", "Job", "Limits", "Measured", "Output", "Role"]


@dataclasses.dataclass(frozen=True)
class Limits:
    """What one job may use: anonymous memory in bytes, wall time in seconds."""

    memory_bytes: int
    timeout_seconds: float
    processes: int = 64
    network: bool = False
    """Whether it may reach other hosts."""


@dataclasses.dataclass(frozen=True)
class Role:
    """A subject to open: `loader` (``module:function``) is called with `path`."""

    loader: str
    path: str
    files: tuple[str, ...] = ()
    """The files that its digest covers, which alone may be read; empty: all below `path`."""
    subject: str = ""
    """The name that `pv.toml` has for it."""
    narrowed: bool = False
    """Whether `pv.toml` names the `files`; then the digest says nothing of the absence of others."""


@dataclasses.dataclass(frozen=True)
class Job:
    """Run one check once, with at most one role damaged, or with what a counter-example replaces replaced.

    `reference` is ``module:function`` for a check; for a test its node, ``path::test``.
    """

    reference: str
    metrics: tuple[Metric, ...]
    arguments: Mapping[str, Any]
    roles: Mapping[str, Role]
    limits: Limits
    seed: int
    device: str
    level: str
    plant: str | None = None
    dose: tuple[str, int | float, int] | None = None
    """Where `plant` is a dose: its kind, its amount and the place."""
    drawn: tuple[str, ...] | None = None
    """In an audit, the labels of what is to be measured again; None: everything."""
    project: str = ""
    """Root of the project: files read below it must be sources, subjects or scratch."""
    sources: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    """The static closure: the project modules that may be imported; of a test or command, the files."""
    preload: tuple[str, ...] = ()
    """Outside modules that the zygote imports once, before it forks."""
    kind: Kind = "check"
    words: tuple[str, ...] = ()
    """Of a command, all of its words; of a test, options for pytest. They have holes."""
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Variables to set for a test or command; the values have holes."""
    search: tuple[str, ...] = ()
    """Folders in which a test or command finds modules, in order."""
    replaced_modules: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """File of a module → the file that takes its place."""
    settings: str = ""
    """The file with pytest's settings; empty where there is none."""
    readings: tuple[Reading, ...] = ()
    stated_property: Mapping[str, Any] | None = None
    """Of a property, what the clause states of it."""
    visible: str = ""
    """The UUID of the one GPU that is to be seen; empty: whatever is."""


@dataclasses.dataclass(frozen=True)
class Build:
    """Call a builder: `reference` (``module:function``) with the path of `source`, output and arguments."""

    reference: str
    source: Role
    output: str
    arguments: Mapping[str, Any]
    limits: Limits
    seed: int
    sources: tuple[str, ...] = ()
    preload: tuple[str, ...] = ()
    project: str = ""
    modules: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Output:
    """What a job printed: the first and last part, and how much in all (bytes)."""

    head: str = ""
    tail: str = ""
    total: int = 0
    sha256: str = ""


@dataclasses.dataclass(frozen=True)
class Measured:
    """The job ran to its end, or was ended once that was enough: metric → (value, label) as recorded."""

    samples: Mapping[str, tuple[tuple[Value, str | None], ...]]
    output: Output
    seconds: float
    peak_memory_bytes: int
    planted: bool
    whole: bool = True
    """False where it was ended because what it had recorded was enough."""
    network: str = ""
    """``"none"``: it was cut off; ``"open"``: it could reach what this host can. Empty where nothing ran."""


@dataclasses.dataclass(frozen=True)
class Broken:
    """The job did not run to its end; `kind` says how, `why` is one sentence for a person.

    ``declined``: it could not be judged here, or it asked not to be; all others are errors.
    """

    kind: Literal["raised", "timeout", "memory", "processes", "crashed", "no-result", "refused", "declined"]
    why: str
    output: Output
    seconds: float
    traceback: str = ""
