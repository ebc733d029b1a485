"""How a falsifier came out, run by run, as far back as anything is on record."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from pv.change_points import ChangePoint, change_points
from pv.config import Config
from pv.errors import SelectionError
from pv.history_sources import gather
from pv.record_facts import Facts
from pv.trend import Trend, trend_of

__all__ = ["Point", "Series", "into_series", "points", "points_of"]


@dataclasses.dataclass(frozen=True)
class Point:
    """One run. Points of one level, subject, device and host class are a series.

    `value` is what was measured of the comparison that decides the series: the one that was nearest to its
    threshold in the latest run. It is the same comparison for every point, None where a run's rule had none
    such; `relative` is its margin as a share of the threshold.
    """

    at: str
    """When it began: UTC, ISO 8601."""
    outcome: str
    value: float | None
    relative: float | None
    level: str
    subject: str
    device: str
    host: str
    """The class of the host, not its name."""
    commit: str
    """Empty where there was no git."""
    seconds: float
    digest: str
    """The sha256 of the record's bytes."""
    measured: str = ""
    """What `value` is, as a rule writes it: ``min(cosine)``."""
    unit: str | None = None
    run: str = ""
    """The key of the run, of a claim about several."""
    dirty: bool = False
    """Whether the tree had changes that were not committed."""

    @property
    def series(self) -> tuple[str, str, str, str]:
        """What it is compared with: level, subject, device and host class."""
        return self.level, self.subject, self.device, self.host


@dataclasses.dataclass(frozen=True)
class Series:
    """The points of one level, subject, device and host class, oldest first, and what became of them."""

    points: tuple[Point, ...]
    changes: tuple[tuple[Point, ChangePoint], ...]
    """The first point after each change, and the change; its index counts the points that have a value."""
    trend: Trend
    """Since the last change."""

    @property
    def latest(self) -> Point:
        """The last point."""
        return self.points[-1]


def points(address: str, config: Config, sources: Collection[str] | None = None) -> list[Point]:
    """Return every run of the falsifier `address` (``contract#ID``) that is on record, oldest first.

    `sources` are of :data:`pv.history_sources.SOURCES`; by default all that are configured. What does not
    verify is left out.

    Raises
    ------
    SelectionError
        `address` is none.
    PvError
        The ledger or the store cannot be read.
    """
    contract, _, identifier = address.rpartition("#")
    if not contract or not identifier:
        raise SelectionError(f"{address!r} is no address", remedy="write contract#ID")
    return points_of(gather((contract, identifier), config, sources).facts)


def points_of(facts: Iterable[Facts]) -> list[Point]:
    """Return the points that `facts` of one falsifier are, oldest first."""
    together: dict[tuple[str, str, str, str], list[Facts]] = defaultdict(list)
    for one in sorted(facts, key=lambda one: (one.started_at, one.digest)):
        together[one.series].append(one)
    found = []
    for series in together.values():
        measured = next((one.decisive for one in reversed(series) if one.decisive), "")
        found += [_point(one, measured) for one in series]
    return sorted(found, key=lambda point: (point.at, point.digest))


def into_series(every: Iterable[Point]) -> list[Series]:
    """Put points into series, in the order of their names, and look at each by itself."""
    together: dict[tuple[str, str, str, str], list[Point]] = defaultdict(list)
    for point in every:
        together[point.series].append(point)
    return [_series(tuple(together[key])) for key in sorted(together)]


def _series(together: Sequence[Point]) -> Series:
    ordered = tuple(sorted(together, key=lambda point: (point.at, point.digest)))
    valued = [(point, point.value) for point in ordered if point.value is not None]
    values = [value for _, value in valued]
    changes = change_points(values)
    since = changes[-1].index if changes else 0
    return Series(
        ordered, tuple((valued[change.index][0], change) for change in changes), trend_of(values[since:])
    )


def _point(one: Facts, measured: str) -> Point:
    compared = next((each for each in one.compared if each.measured == measured), None)
    return Point(
        at=one.started_at,
        outcome=one.outcome,
        value=compared.value if compared else None,
        relative=compared.relative if compared else None,
        level=one.level,
        subject=one.subject,
        device=one.device,
        host=one.host,
        commit=one.commit,
        seconds=one.seconds,
        digest=one.digest,
        measured=measured,
        unit=compared.unit if compared else None,
        run=one.run,
        dirty=one.dirty,
    )
