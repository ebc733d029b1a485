"""Which subjects a falsifier rests on: those that it names, and those that their builders make them of."""

from __future__ import annotations

from collections.abc import Iterator

from pv.config import Config, SubjectSpec
from pv.contract import Falsifier
from pv.errors import ConfigError

__all__ = ["named_subjects", "subjects_built_from"]


def named_subjects(falsifier: Falsifier) -> tuple[str, ...]:
    """Return the names of the subjects at all levels and in the satisfying example, each once."""
    named = [name for roles in falsifier.subjects.values() for name in roles.values()]
    named += (falsifier.satisfying_example or {}).get("subjects", {}).values()
    return tuple(dict.fromkeys(named))


def subjects_built_from(falsifier: Falsifier, config: Config) -> Iterator[SubjectSpec]:
    """Yield each subject that `falsifier` names, and each that a builder needs for one that was yielded.

    Raises
    ------
    ConfigError
        One is not in ``pv.toml``.
    """
    waiting = [*named_subjects(falsifier)]
    seen = set(waiting)
    while waiting:
        name = waiting.pop()
        spec = config.subjects.get(name)
        if spec is None:
            raise ConfigError(f"subject {name!r} is not in pv.toml", remedy=f"add [subjects.{name}]")
        yield spec
        if spec.builder:
            waiting += (source for source in spec.derived_from if source not in seen)
            seen.update(spec.derived_from)
