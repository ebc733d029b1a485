"""Open what is judged."""

from __future__ import annotations

from pathlib import Path


def open_numbers(path: Path) -> list[float]:
    """Read one number a line."""
    return [float(line) for line in path.read_text(encoding="utf-8").splitlines()]


def open_absolute_numbers(path: Path) -> list[float]:
    """Read one number a line, without its sign."""
    return [abs(number) for number in open_numbers(path)]
