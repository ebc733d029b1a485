"""Where the tiles of a grid lie."""

from __future__ import annotations


def tiles(count: int, tile: int) -> int:
    """Return how many tiles cover `count` elements."""
    return -(-count // tile)


def counted(count: int, tile: int) -> int:
    """Return the same, by taking tile after tile."""
    found = 0
    while count > 0:
        count -= tile
        found += 1
    return found


def swapped(values: list[float]) -> list[float]:
    """Return the values from the last to the first."""
    return values[::-1]
