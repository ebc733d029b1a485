"""How a falsifier was judged over time, in the form that the site plots.

:func:`points_of` is the one place that knows where the past comes from: :mod:`pv.history`, and where that
could have no more than the evidence folder, the records that were read already.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from pv.change_points import ChangePoint
from pv.config import Config
from pv.errors import EvidenceError, PvError
from pv.evidence import Record, read_record, records_of
from pv.history import Point as HistoryPoint
from pv.history import into_series, points
from pv.history_sources import committed, configured
from pv.record_facts import host_class
from pv.tally import Row
from pv.verify import verify

__all__ = ["Change", "Judged", "Point", "points_of", "records_on_file", "since"]


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


def points_of(
    records: Sequence[Record], row: Row, config: Config
) -> tuple[Sequence[Point], Sequence[Change], str]:
    """Return how a falsifier was judged, oldest first, where that changed, and what could not be read.

    `records` are those of the evidence folder, verified. Git and the ledger have older ones; a store is not
    asked: it may lie on another host, and its records are in the ledger once they were pulled.
    """
    latest: Sequence[Point] = sorted((_point(record) for record in records), key=lambda point: point.at)
    sources = [name for name in configured(config) if name in {"ledger", "folder", "git"}]
    try:
        if "ledger" not in sources and not _older(records, row, config):
            return latest, (), ""
        past = points(row.address, config, sources)
    except PvError as error:
        return latest, (), error.what
    changes = [_change(point, change) for series in into_series(past) for point, change in series.changes]
    return past, sorted(changes, key=lambda change: change.at), ""


def _older(records: Sequence[Record], row: Row, config: Config) -> bool:
    """Tell whether git has records of a falsifier besides those of the folder; asks for no object of it."""
    versions = committed(config).records.get((row.contract.stem, row.falsifier.id), ())
    if not versions:
        return False
    here = {"/".join(record.path.parts[-3:]): record.path for record in records}
    return any(name not in here or blob != _blob(here[name]) for name, blob in versions)


def _blob(path: Path) -> str:
    """Return the name that git has for the bytes of a file."""
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0%s" % (len(data), data), usedforsecurity=False).hexdigest()


def _change(point: HistoryPoint, change: ChangePoint) -> Change:
    unit = f" {point.unit}" if point.unit and point.unit != "1" else ""
    return Change(
        point.at,
        f"{point.measured} from {change.before:.6g} to {change.after:.6g}{unit} on average"
        f" ({point.level} level, {point.subject}, {point.device})",
    )


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
        host=host_class(predicate["host"], place),
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
