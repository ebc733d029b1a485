"""How a falsifier was judged over time, in the form that the site plots.

:func:`points_of` is the one place that knows where the past comes from.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from pv.config import Config
from pv.errors import EvidenceError
from pv.evidence import Record, read_record, records_of
from pv.tally import Row
from pv.verify import verify

__all__ = ["Change", "Judged", "Point", "changes_of", "points_of", "records_on_file", "since"]


class Point(Protocol):
    """One judgement of the past."""

    @property
    def at(self) -> str:
        """When it was run: UTC, ISO 8601."""

    @property
    def outcome(self) -> str:
        """``Pass`` or ``Fail`` by the rule, or ``Refuted`` where it fails as claimed."""

    @property
    def value(self) -> float | None:
        """What was compared, of the comparison that came nearest; None where only equalities decide."""

    @property
    def relative(self) -> float | None:
        """The margin as a share of the threshold; negative where it was missed."""

    @property
    def level(self) -> str:
        """The level that was judged."""

    @property
    def subject(self) -> str:
        """What was judged; ``no-subject`` where it is about no artefact."""

    @property
    def device(self) -> str:
        """``cpu`` or ``cuda-smNN``."""

    @property
    def host(self) -> str:
        """The class of the host, never its name."""

    @property
    def commit(self) -> str:
        """The git commit; empty where there is none."""

    @property
    def seconds(self) -> float:
        """How long it ran."""

    @property
    def digest(self) -> str:
        """Of the record."""


@dataclasses.dataclass(frozen=True)
class Judged:
    """A :class:`Point` from a record of the evidence folder."""

    at: str
    outcome: str
    value: float | None
    relative: float | None
    level: str
    subject: str
    device: str
    host: str
    commit: str
    seconds: float
    digest: str


@dataclasses.dataclass(frozen=True)
class Change:
    """From when on the measurements are others than the noise before explains, and what is known of it."""

    at: str
    what: str


def points_of(records: Sequence[Record], row: Row, config: Config) -> Sequence[Point]:  # noqa: ARG001
    """Return how a falsifier was judged, oldest first. `records` are those of the evidence folder.

    The hook: where a longer history is kept than the latest records, it is to be read here.
    """
    return sorted((_point(record) for record in records), key=lambda point: point.at)


def changes_of(points: Sequence[Point]) -> Sequence[Change]:  # noqa: ARG001
    """Return where the history changed. The other half of the hook: the latest records show no change."""
    return ()


def records_on_file(row: Row, config: Config) -> list[Record]:
    """Return the records of a falsifier that verify, those that its status does not rest on as well."""
    known = {record.path: record for record in row.status.records}
    found = []
    for path in records_of(config.evidence, row.contract.stem, row.falsifier.id):
        if path in known:
            found.append(known[path])
            continue
        try:
            record = read_record(path)
            verify(record, outcomes_only=True)
        except EvidenceError:
            continue  # its status says so
        found.append(record)
    return found


def since(row: Row, points: Iterable[Point]) -> str:
    """Return the day, UTC, since which evidence says what the status says; empty where none does.

    Of each record that the status rests on: when the unbroken run of judgements began that agree with it.
    The last of these days counts. Of a stale status, it is that of the evidence that went stale.
    """
    past = list(points)
    days = []
    for record in row.status.records:
        here = _point(record)
        like = [p for p in past if _place(p) == _place(here) and p.at <= here.at]
        began = here.at
        for point in sorted(like, key=lambda point: point.at, reverse=True):
            if point.outcome != here.outcome:
                break
            began = point.at
        days.append(began[:10])
    return max(days, default="")


def _place(point: Point) -> tuple[str, str, str]:
    return point.level, point.subject, point.device


def _point(record: Record) -> Judged:
    predicate = record.predicate
    verdict: Mapping[str, Any] = predicate["verdict"]
    place, run, revision = predicate["place"], predicate["run"], predicate["revision"]
    closest = verdict["closest"] or {}
    return Judged(
        at=str(run["started_at"]),
        outcome=str(verdict["outcome"]),
        value=_compared(verdict, closest),
        relative=_finite(closest.get("relative")),
        level=str(place["level"]),
        subject=str(place["subject"]),
        device=str(place["device"]),
        host=str(predicate["host"]["class"]),
        commit=str(revision.get("commit") or ""),
        seconds=float(run["seconds"]),
        digest=str(predicate["seal"].get("verdict", "")),
    )


def _compared(verdict: Mapping[str, Any], closest: Mapping[str, Any]) -> float | None:
    if not closest:
        return None
    traces = verdict["lines"][closest["line"]]["comparisons"]
    return next((_finite(t["left"]) for t in traces if t["text"] == closest["text"]), None)


def _finite(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if -1e300 < value < 1e300 else None
