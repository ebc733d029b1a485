"""Fuzz several formats at a time, and say how it went."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.fuzz.board import Counts
from benchmarks.fuzz.guided import is_installed
from benchmarks.fuzz.parent import fuzz

__all__ = ["fuzz_all", "lines"]


def fuzz_all(formats: Sequence[str], seconds: float, seed: int, jobs: int, finds: Path) -> dict[str, Counts]:
    """Fuzz each format for so many seconds, half of them guided by coverage where that can be.

    Returns
    -------
    dict[str, Counts]
        Format → what came of it.
    """
    engines = ("plain", "guided") if is_installed() else ("plain",)
    with ThreadPoolExecutor(jobs) as pool:
        parts = {
            name: [pool.submit(fuzz, name, engine, seconds / len(engines), seed, finds) for engine in engines]
            for name in formats
        }
        return {name: sum((part.result() for part in each), Counts()) for name, each in parts.items()}


def lines(found: Mapping[str, Counts]) -> Iterator[str]:
    """Yield the table, and a row of what all came to."""
    numbers = "".join(f"{name:>12}" for name in ("inputs", "rejected", "accepted"))
    yield f"{'format':<16}{numbers}{'escapes':>9}{'worst s':>10}{'worst MiB':>11}"
    rows = dict(found)
    if len(rows) > 1:
        rows["all"] = sum(found.values(), Counts())
    for name, each in rows.items():
        yield (
            f"{name:<16}{each.tried:>12,}{each.rejected:>12,}{each.accepted:>12,}{each.escaped:>9,}"
            f"{each.seconds:>10.3f}{each.mebibytes:>11.1f}"
        )
