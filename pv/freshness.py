"""What decides a verdict, by digest; and what of it changed since a record was made.

Four things and nothing else: the clause (less ``discharge_status``), the source closure of the
check and of the loaders and builders of its subjects, the bytes of the subjects, and the engine's
semantics version. Host, date, libraries and drivers are recorded but do not make evidence stale.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from pv.canonical import digest_of
from pv.closure import Closure, find_closure
from pv.config import Config
from pv.contract import LEVELS, Falsifier
from pv.errors import ConfigError
from pv.semantics import SEMANTICS
from pv.subjects import build_key

__all__ = [
    "Inputs",
    "base_level",
    "changes",
    "clause_digest",
    "closure_of",
    "current_inputs",
    "roles_at",
    "satisfying_roles",
]

NO_PIN = "unpinned"


@dataclasses.dataclass(frozen=True)
class Inputs:
    """Digests of what decides a verdict; `artefacts` is role → sha256, or build key where it is built."""

    clause: str
    check: str
    semantics: int
    artefacts: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """Return the plain form that evidence holds."""
        return {
            "clause": self.clause,
            "check": self.check,
            "semantics": self.semantics,
            "artefacts": dict(self.artefacts),
        }


def clause_digest(falsifier: Falsifier) -> str:
    """Digest every field of the clause as written, but the status that is derived from evidence."""
    return digest_of({key: value for key, value in falsifier.raw.items() if key != "discharge_status"})


def roles_at(falsifier: Falsifier, level: str, *, satisfying: bool = False) -> dict[str, str]:
    """Return role → subject name at `level`, for the claim or for its satisfying example."""
    roles = dict(falsifier.subjects.get(level, {}))
    if satisfying and falsifier.satisfying_example:
        roles.update(falsifier.satisfying_example.get("subjects", {}))
    return roles


def satisfying_roles(falsifier: Falsifier) -> dict[str, str]:
    """Return the roles that a satisfying example fills otherwise than the claim, as inputs name them."""
    stated = (falsifier.satisfying_example or {}).get("subjects", {})
    return {f"satisfying_example.{role}": name for role, name in stated.items()}


def base_level(falsifier: Falsifier) -> str:
    """Return the cheapest level that has subjects: where counter-examples run. Without any, live."""
    return next((level for level in LEVELS if level in falsifier.subjects), "live")


def closure_of(falsifier: Falsifier, config: Config) -> Closure:
    """Return the source closure of the check and of every loader and builder that its subjects name.

    That of ``pytest:`` and ``command:`` goes by files: see :mod:`pv.source_files`.

    Raises
    ------
    BindingError
        A module is not in the project's sources.
    ConfigError
        A subject is not in ``pv.toml``.
    """
    if falsifier.pytest is not None or falsifier.command is not None:
        # Imported late: most projects have only checks, and a hook waits for us.
        from pv.source_files import declared_closure

        key = frozenset({digest_of(dict(falsifier.raw))})
        if key not in config.closures:
            config.closures[key] = declared_closure(falsifier, config)
        return config.closures[key]
    references = {falsifier.check or ""}
    waiting = [name for roles in falsifier.subjects.values() for name in roles.values()]
    waiting += list((falsifier.satisfying_example or {}).get("subjects", {}).values())
    while waiting:
        name = waiting.pop()
        spec = config.subjects.get(name)
        if spec is None:
            raise ConfigError(f"subject {name!r} is not in pv.toml", remedy=f"add [subjects.{name}]")
        if not spec.loader:
            raise ConfigError(
                f"subject {name!r} has no loader, which a check needs to open it",
                remedy=f'add loader = "module:function" to [subjects.{name}]',
            )
        references |= {spec.loader} | ({spec.builder} if spec.builder else set())
        waiting += spec.derived_from if spec.builder else ()
    modules = frozenset(reference.split(":")[0] for reference in references)
    if modules not in config.closures:
        config.closures[modules] = find_closure(modules, config.sources)
    return config.closures[modules]


def current_inputs(falsifier: Falsifier, level: str, config: Config) -> Inputs:
    """Return the digests as the tree has them now: pins stand for the bytes of subjects."""
    artefacts = {role: build_key(name, config) for role, name in roles_at(falsifier, level).items()}
    if level == base_level(falsifier):
        artefacts |= {role: build_key(name, config) for role, name in satisfying_roles(falsifier).items()}
    return Inputs(clause_digest(falsifier), closure_of(falsifier, config).sha256, SEMANTICS, artefacts)


def changes(recorded: Mapping[str, Any], now: Inputs) -> tuple[str, ...]:
    """Say what changed, from what to what; empty while the record is fresh."""
    found = []
    for what, before, after in (
        ("the clause", recorded["clause"], now.clause),
        ("the check's source", recorded["check"], now.check),
    ):
        if before != after:
            found.append(f"{what} changed from {before[:12]} to {after[:12]}")
    if recorded["semantics"] != now.semantics:
        found.append(f"the engine's semantics changed from {recorded['semantics']} to {now.semantics}")
    before_roles = recorded["artefacts"]
    for role in sorted({*before_roles, *now.artefacts}):
        before, after = before_roles.get(role, "none"), now.artefacts.get(role, "none")
        if after == NO_PIN:
            found.append(
                f"the subject of role {role} is not pinned in pv.toml (sha256 {before[:12]} was measured)"
            )
        elif before != after:
            found.append(f"the subject of role {role} changed from {before[:12]} to {after[:12]}")
    return tuple(found)
