"""Where what was judged comes from: subject by subject, with digests and what built it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping

from pv.config import Config
from pv.contract import Falsifier

__all__ = ["Made", "Origin", "origins_of"]


@dataclasses.dataclass(frozen=True)
class Made:
    """A subject: what it is by digest, and what it was made from."""

    name: str
    digest: str
    """The sha256 that is pinned; empty where none is."""
    path: str
    loader: str
    builder: str
    arguments: str
    """Of the builder, as JSON."""
    derived_from: tuple[Made, ...]


@dataclasses.dataclass(frozen=True)
class Origin:
    """A role of a falsifier, the levels at which `made` fills it, and what else digests say of it."""

    role: str
    levels: tuple[str, ...]
    made: Made


def origins_of(falsifier: Falsifier, config: Config, known: dict[str, Made]) -> list[Origin]:
    """Return where the subjects of `falsifier` come from, by role; `known` keeps what was looked up."""
    found: dict[tuple[str, str], list[str]] = {}
    for level, roles in falsifier.subjects.items():
        for role, name in roles.items():
            found.setdefault((role, name), []).append(level)
    return [
        Origin(role, tuple(levels), _made(name, config, known))
        for (role, name), levels in sorted(found.items())
    ]


def _made(name: str, config: Config, known: dict[str, Made]) -> Made:
    if name not in known:
        spec = config.subjects.get(name)
        if spec is None:
            known[name] = Made(name, "", "not in pv.toml", "", "", "", ())
        else:
            stated: Mapping[str, object] = spec.arguments
            known[name] = Made(
                name,
                spec.sha256 or "",
                spec.path,
                spec.loader,
                spec.builder or "",
                json.dumps(stated, default=str) if stated else "",
                # No circle leads back here: pv.toml with one is refused.
                tuple(_made(other, config, known) for other in spec.derived_from),
            )
    return known[name]
