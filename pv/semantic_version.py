"""Was the version of a contract raised as far as its changes ask? Versions are semantic (https://semver.org)."""

from __future__ import annotations

import re

from pv.meaning.change import Bump

__all__ = ["raised", "suffices"]

_VERSION = re.compile(r"v?(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(?:\.(0|[1-9][0-9]*))?")


def raised(before: str, after: str) -> Bump | None:
    """Return which number of the version was raised; None where it was lowered, or is none of numbers."""
    old, new = _numbers(before), _numbers(after)
    if before.strip() == after.strip() or (old is not None and old == new):
        return Bump.NONE
    if old is None or new is None or new < old:
        return None
    return next(
        bump
        for bump, was, now in zip((Bump.MAJOR, Bump.MINOR, Bump.PATCH), old, new, strict=True)
        if was != now
    )


def suffices(before: str, after: str, wanted: Bump) -> bool:
    """Tell whether the version was raised by `wanted` or more; before 1.0.0, a minor one stands for a major.

    A version that is lowered, or that cannot be read, suffices for nothing, not even for no change.
    """
    bump = raised(before, after)
    if bump is None:
        return False
    old = _numbers(before)
    if old is not None and old[0] == 0:
        wanted = min(wanted, Bump.MINOR)
    return bump >= wanted


def _numbers(version: str) -> tuple[int, int, int] | None:
    found = _VERSION.fullmatch(version.strip())
    return None if found is None else (int(found[1]), int(found[2]), int(found[3] or 0))
