"""The history of a falsifier, for people and for programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from pv.change_points import ChangePoint
from pv.history import Point, Series
from pv.history_sources import Found
from pv.trend import sparkline

__all__ = ["history_json", "history_lines"]


def history_lines(address: str, every: Sequence[Series], found: Found, *, last: int) -> Iterator[str]:
    """Yield the lines that people read: a block a series, its latest `last` runs."""
    runs = sum(len(series.points) for series in every)
    yield f"{address}  {runs} run(s) in {len(every)} series, from {', '.join(found.counts)}"
    for series in every:
        latest = series.latest
        yield f"  {latest.level}  {latest.subject}  {latest.device}  {latest.host}"
        if latest.measured:
            bars = sparkline([point.value for point in series.points])
            yield f"    {bars}  {latest.measured}, {_trend(series)}"
        changed = {point.digest: change for point, change in series.changes}
        hidden = len(series.points) - last
        if hidden > 0:
            yield f"    ... {hidden} earlier"
        for point in series.points[-last:]:
            if change := changed.get(point.digest):
                yield f"    changed  {_step(change)}"
            yield f"    {_run(point)}"


def _run(point: Point) -> str:
    value = "-" if point.value is None else f"{point.value:.6g}" + _unit(point.unit)
    margin = "" if point.relative is None else f"margin {point.relative:+.2%}"
    commit = (point.commit[:12] or "no git") + ("+" if point.dirty else "")
    when = point.at[:19].replace("T", " ")
    key = f"  {point.run}" if point.run else ""
    what = f"{point.outcome.upper():<4}  {value:<14}  {margin:<15}"
    return f"{when}  {what}  {commit:<13}  {point.seconds:g} s{key}"


def _unit(unit: str | None) -> str:
    return f" {unit}" if unit not in {None, "1"} else ""


def _step(change: ChangePoint) -> str:
    before, after = change.before, change.after
    by = f" ({(after - before) / abs(before):+.2%})" if before else ""
    return f"{before:.6g} → {after:.6g}{by}, p {change.p:.2g}"


def _trend(series: Series) -> str:
    trend = series.trend
    if trend.direction == "level":
        return "level since then" if series.changes else "level"
    return f"{trend.direction} by {abs(trend.slope):.3g} a run (p {trend.p:.2g})"


def history_json(address: str, every: Sequence[Series], found: Found) -> dict[str, Any]:
    """Return the same as JSON values; docs/how-to/share-evidence.md says what they mean."""
    return {
        "falsifier": address,
        "sources": dict(found.counts),
        "series": [_series(series) for series in every],
        "refused": [{"name": one.name, "why": one.why} for one in found.refused],
    }


def _series(series: Series) -> dict[str, Any]:
    latest = series.latest
    own = ("level", "subject", "device", "host", "measured")
    left_out = {*own, "unit"}
    return {
        **{key: getattr(latest, key) for key in own},
        "unit": next((p.unit for p in reversed(series.points) if p.unit), None),
        "trend": dataclasses.asdict(series.trend),
        "changes": [
            {
                "at": point.at,
                "commit": point.commit,
                "digest": point.digest,
                "before": change.before,
                "after": change.after,
                "p": change.p,
            }
            for point, change in series.changes
        ],
        "points": [
            {key: value for key, value in dataclasses.asdict(point).items() if key not in left_out}
            for point in series.points
        ],
    }
