"""Parts of the builder."""

from __future__ import annotations

from collections.abc import Iterable


def joined(texts: Iterable[str]) -> str:
    """Put texts one after the other."""
    return "".join(texts)
