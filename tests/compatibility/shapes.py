"""How the typed reader of the Rust tool stops."""

from __future__ import annotations

from typing import Any


class UnparsableError(Exception):
    """A value is not of the type that it must have."""


def need(condition: object) -> None:
    if not condition:
        raise UnparsableError


def optional(value: Any, kind: type | tuple[type, ...]) -> None:
    """Need `value` to be of `kind`, or not to be there; a truth is no number."""
    need(value is None or (isinstance(value, kind) and not (kind is not bool and isinstance(value, bool))))
