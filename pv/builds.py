"""What a built subject is built from and by: its identity, whatever bytes the builder gave it here."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import Any

from pv.canonical import digest_of
from pv.closure import closure_digest, find_closure
from pv.config import Config, SubjectSpec

__all__ = ["UNPINNED", "Build", "build_key", "find_build", "key_of", "make_build"]

UNPINNED = "unpinned"
"""Stands for the digest of a subject that ``pv.toml`` neither pins nor builds."""


@dataclasses.dataclass(frozen=True)
class Build:
    """How a subject is made.

    `source` is the sha256 of what it is made from, or the key of that one's build.
    """

    subject: str
    of: str
    source: str
    builder: str
    digests: tuple[tuple[str, str], ...]
    """Name and sha256 of every module of the builder's source closure."""
    arguments: Mapping[str, Any] = dataclasses.field(hash=False)
    path: str
    before: Build | None
    """How `of` is made, where it is built itself."""

    @functools.cached_property
    def key(self) -> str:
        """Digest of what decides the bytes."""
        return key_of(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Return the plain form that evidence holds."""
        return {
            "of": self.of,
            "source": self.source,
            "builder": self.builder,
            "modules": dict(self.digests),
            "with": dict(self.arguments),
            "path": self.path,
        }

    def chain(self) -> Iterator[Build]:
        """Yield this build, and those before it."""
        yield self
        if self.before:
            yield from self.before.chain()


def key_of(stated: Mapping[str, Any]) -> str:
    """Return the key of a build in its plain form; of the source, the bytes count and not the name."""
    parts = {name: stated[name] for name in ("source", "builder", "with", "path")}
    return digest_of({**parts, "closure": closure_digest(stated["modules"].items())})


def make_build(spec: SubjectSpec, config: Config, source: str, before: Build | None) -> Build:
    """Say how `spec`, which has a builder, is made from what has the identity `source`.

    Raises
    ------
    BindingError
        A module of the builder is not there, or is not Python.
    """
    builder = spec.builder or ""
    modules = frozenset({builder.split(":")[0]})
    if modules not in config.closures:  # for every falsifier of what it builds
        config.closures[modules] = find_closure(modules, config.sources)
    closure = config.closures[modules]
    of = spec.derived_from[0]
    return Build(spec.name, of, source, builder, closure.digests, spec.arguments, spec.path, before)


def find_build(name: str, config: Config) -> Build | None:
    """Return how `name` is built as the tree has it now; None where it is not built.

    Pins stand for bytes, so that the key is a function of the tree.

    Raises
    ------
    BindingError
        As :func:`make_build`.
    """
    spec = config.subjects[name]
    if spec.builder is None:
        return None
    before = find_build(spec.derived_from[0], config)
    source = before.key if before else config.subjects[spec.derived_from[0]].sha256
    return make_build(spec, config, source or UNPINNED, before)


def build_key(name: str, config: Config) -> str:
    """Return what identifies the subject `name`: the key of its build, its pin, or :data:`UNPINNED`."""
    build = find_build(name, config)
    return build.key if build else config.subjects[name].sha256 or UNPINNED
