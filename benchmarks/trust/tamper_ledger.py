"""Rows of the ledger that are edited, taken away or put elsewhere."""

from __future__ import annotations

from benchmarks.trust.victim import Do, Said, Victim

__all__ = ["CASES", "judged"]


def judged(victim: Victim) -> list[Said]:
    """Return what is said against the ledger."""
    del victim
    return []


CASES: tuple[tuple[str, str, str, str, Do], ...] = ()
