"""A policy: whose signature counts for which falsifiers, levels and hosts, and until when."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from fnmatch import fnmatchcase

from pv.signatures.public_keys import PublicKey

__all__ = ["KeyEntry", "Policy", "Required", "Rule", "matches"]


@dataclasses.dataclass(frozen=True)
class KeyEntry:
    """A public key, under the name that the policy gives it."""

    name: str
    key: PublicKey
    not_after: dt.datetime | None


@dataclasses.dataclass(frozen=True)
class Rule:
    """One grant: these keys may sign for these falsifiers. Empty `levels`, `hosts`, … are all of them."""

    number: int
    """Its place in the file, from 1."""
    falsifiers: tuple[str, ...]
    """Patterns over ``contract#ID``."""
    keys: frozenset[str]
    """Names of keys."""
    threshold: int
    """How many of them must have signed."""
    levels: tuple[str, ...]
    hosts: tuple[str, ...]
    """Patterns over the class of host: its short form (``linux-x86_64``) or its whole one."""
    devices: tuple[str, ...]
    """Patterns over the device: ``cpu``, ``cuda-sm90``."""
    capabilities: tuple[str, ...]
    """Compute capabilities of GPUs as contracts ask for them: ``any``, ``>=8.9``, ``==9.0``."""
    not_after: dt.datetime | None
    max_age: dt.timedelta | None


@dataclasses.dataclass(frozen=True)
class Required:
    """Falsifiers that must have evidence: a record each, or one at each of `levels`."""

    falsifiers: tuple[str, ...]
    levels: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Policy:
    """What the policy file says."""

    keys: Mapping[str, KeyEntry]
    """By key id."""
    rules: tuple[Rule, ...]
    required: tuple[Required, ...]
    schema_version: int
    """The oldest schema of records that is taken."""
    predicate_types: tuple[str, ...]
    not_after: dt.datetime | None


def matches(text: str, patterns: tuple[str, ...]) -> bool:
    """Tell whether one of `patterns` (shell wildcards, case matters) matches the whole of `text`."""
    return any(fnmatchcase(text, pattern) for pattern in patterns)
