"""What the standard properties measure, by number: a record that another number made is stale."""

from __future__ import annotations

import hashlib

__all__ = ["MEASURES", "measures_digest"]

MEASURES = 3
"""Raise it with any change by which the same clause and subject may be measured otherwise."""


def measures_digest() -> str:
    """Return the digest that stands for :data:`MEASURES` among the parts of a source closure."""
    return hashlib.sha256(f"pv.properties {MEASURES}".encode()).hexdigest()
