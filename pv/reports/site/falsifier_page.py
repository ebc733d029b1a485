"""The page of a falsifier: what it claims, what was judged, on what, its past, and how to do it again."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pv.evidence import Record
from pv.planning import levels_of
from pv.reports.gathering import reproduction, worst_cases
from pv.reports.site.history import Change, Point, points_of, records_on_file, since
from pv.reports.site.history_plot import as_wanted, lines_of, plot
from pv.reports.site.index import short_margin, tags_of
from pv.reports.site.pages import record_link
from pv.reports.site.provenance import origins_of
from pv.reports.site.source import Source
from pv.tally import Row, next_step, step_to

__all__ = ["LevelReached", "Past", "falsifier_context", "past_of"]

_MOST = 50
"""Judgements in the table; of more, the latest."""


@dataclasses.dataclass(frozen=True)
class Past:
    """What is on record of a falsifier."""

    records: Sequence[Record]
    points: Sequence[Point]
    changes: Sequence[Change]
    since: str
    lacking: str
    """Why the history goes no further back, where something could not be read."""


@dataclasses.dataclass(frozen=True)
class LevelReached:
    """A level that a claim can be judged at: what is on record, or what it lacks."""

    level: str
    judged: str
    """The last judgement in words; empty where there is none."""
    counts: bool
    """Whether the status rests on it."""
    step: str


def past_of(row: Row, source: Source) -> Past:
    """Read what is on record of a falsifier."""
    records = records_on_file(row, source.config)
    points, changes, lacking = points_of(records, row, source.config)
    return Past(records, points, changes, since(row, points), lacking)


def falsifier_context(row: Row, past: Past, source: Source) -> dict[str, Any]:
    """Return what the page of a falsifier shows."""
    report, falsifier = source.report, row.falsifier
    refuted = falsifier.outcome == "refuted"
    lines = lines_of(past.points)
    last: Mapping[str, Any] | None = row.status.records[-1].predicate if row.status.records else None
    verdict: Mapping[str, Any] = last["verdict"] if last else {}
    return {
        "row": row,
        "falsifier": falsifier,
        "status": row.status.name,
        "where": source.place_of(row),
        "css": row.status.name.lower(),
        "since": past.since,
        "waived": report.waived.get(row.address, ""),
        "margin": short_margin(verdict) if last else "",
        "tags": tags_of(row),
        "expect": falsifier.expect.items(),
        "last": last,
        "verdict": verdict,
        "worst": list(worst_cases(verdict)),
        "gpus": [gpu for gpu in last["host"]["gpus"] if isinstance(gpu, dict)] if last else (),
        "plants": list(_plants(row.status.records or past.records)),
        "lines": lines,
        "plot": plot(lines, past.changes, refuted=refuted) if lines else "",
        "changes": past.changes,
        "past": [(point, as_wanted(point, refuted=refuted)) for point in reversed(past.points[-_MOST:])],
        "lacking": past.lacking,
        "older": max(0, len(past.points) - _MOST),
        "findings": source.cited.get(row.address, ()),
        "origins": origins_of(falsifier, source.config, source.origins),
        "levels": list(_levels(row, past, source)),
        "step": next_step(row, source.config),
        "waits_for": report.blocking.before(row.address) if report.blocking.waiting else (),
        "waited_by": report.blocking.behind(row.address) if report.blocking.waiting else (),
        "covers": [(name, _property(row, name)) for name in falsifier.covers],
        "records": [
            (record_link(row.address, one.path.name), source.shown(one.path)) for one in past.records
        ],
        "reproduce": reproduction(row.address, last["place"]["level"] if last else None),
        "rows": source.rows,
    }


def _plants(records: Sequence[Record]) -> Iterator[dict[str, Any]]:
    """Yield the counter-examples of the first record that has some, and what the rule said of each."""
    found: Mapping[str, Any] = next(
        (r.predicate["counter_examples"] for r in records if r.predicate.get("counter_examples")), {}
    )
    for name, plant in found.items():
        failing = [line for line in plant["verdict"]["lines"] if not line["truth"]]
        yield {
            "name": name,
            "of": plant["of"],
            "caught": plant["caught"],
            # The record has the worst cases of each as well.
            "reason": str(failing[0]["reason"]).partition("; worst:")[0] if failing else "",
            "others": max(0, len(failing) - 1),
        }


def _levels(row: Row, past: Past, source: Source) -> Iterator[LevelReached]:
    if row.falsifier.excluded:
        return
    counting = {record.predicate["place"]["level"] for record in row.status.records}
    if row.status.name in {"STALE", "UNBOUND", "FALSIFIED", "VACUOUS"}:
        counting = set()
    for level in levels_of(row.falsifier):
        latest = next((p for p in reversed(past.points) if p.level == level), None)
        if row.falsifier.basis and latest is None:
            continue  # a gate is judged at the level of what it cites, and at no other
        judged = f"{latest.outcome}, {latest.at[:10]}, {latest.subject} on {latest.device}" if latest else ""
        counts = level in counting
        yield LevelReached(level, judged, counts, "" if counts else _step(row, level, source))


def _step(row: Row, level: str, source: Source) -> str:
    if row.falsifier.bound and not row.falsifier.basis:
        return step_to(row, level, source.config)
    return next_step(row, source.config)


def _property(row: Row, name: str) -> str:
    return next(
        (o.property for o in row.contract.obligations if o.id == name), "no obligation of its contract"
    )
