"""What every property measures, whatever its type: rules may use these names."""

from __future__ import annotations

from pv.check import Metric

__all__ = ["METRICS"]

METRICS = (
    Metric("violations", kind="count"),
    Metric("cases", kind="count"),
    Metric("worst", low=0),
    Metric("exhaustive", kind="count", low=0, high=1),
    Metric("proved", kind="count", low=0, high=1),
    Metric("witness", kind="text"),
)
"""`violations` of `cases` that were tried, each counted once; `worst` is the largest error, in the unit of
what the subject returns (infinite for a line that is false, for what is raised, and for things that have no
distance); `exhaustive` is 1 where the cases are the whole domain; `proved` is 1 where a solver has shown that
there is no violation at all; `witness` is the smallest violation that was found, or ``none``."""
