"""How far numbers lie from the nearest whole one."""

from __future__ import annotations


def distance(number: float) -> float:
    """Return the distance to the nearest whole number."""
    # Imported late, and part of the closure all the same.
    from .scale import SCALE

    return abs(number - round(number)) * SCALE
