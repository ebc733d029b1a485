"""Loaders of the small project."""

from __future__ import annotations

from pathlib import Path

Numbers = list[float]


def open_numbers(path: Path) -> Numbers:
    """Read one number a line."""
    return [float(line) for line in path.read_text(encoding="utf-8").splitlines()]
