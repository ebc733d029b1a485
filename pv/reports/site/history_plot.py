"""The history of a falsifier as an SVG: margins over time, with the threshold, failures and change points.

What was judged on other hosts, devices, levels or subjects is another line, with a marker, a dash and a
number of its own: colour is never the only sign. The table beside the plot says the same in words.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import html
import math
from collections.abc import Iterable, Iterator, Sequence

from pv.printable import printable
from pv.reports.site.history import Change, Point

__all__ = ["MOST", "Line", "as_wanted", "lines_of", "plot"]

MOST = 400
"""Of more points than these, the latest are plotted."""

_WIDTH, _HEIGHT = 640, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 18, 14, 44
_KINDS = 6
"""Markers and dashes that the style sheet tells apart."""
_DAY = 86400
_STEPS = (60, 300, 900, 3600, 10800, 21600, 43200, *(_DAY * d for d in (1, 2, 7, 14, 28, 91, 182, 365, 1825)))
_MARKERS = (
    "M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0z",  # a disc
    "M-4,-4h8v8h-8z",
    "M0,-5L5,4H-5z",
    "M0,-5L5,0L0,5L-5,0z",
    "M0,5L5,-4H-5z",
    "M-5,-2h3v-3h4v3h3v4h-3v3h-4v-3h-3z",
)


@dataclasses.dataclass(frozen=True)
class Line:
    """Judgements that may be compared: of one level and subject, on one device of one class of hosts."""

    number: int
    level: str
    subject: str
    device: str
    host: str
    points: tuple[Point, ...]

    @property
    def kind(self) -> int:
        """Which marker and dash it has."""
        return (self.number - 1) % _KINDS

    @property
    def marker(self) -> str:
        """The SVG of its marker, for a legend."""
        return (
            '<svg class="key" width="14" height="14" viewBox="-7 -7 14 14" aria-hidden="true">'
            f'<path class="m{self.kind}" d="{_MARKERS[self.kind]}"/></svg>'
        )


def lines_of(points: Iterable[Point]) -> list[Line]:
    """Part the latest `points` into lines, each oldest first, in the order of their first points."""
    found: dict[tuple[str, str, str, str], list[Point]] = {}
    for point in sorted(points, key=lambda point: point.at)[-MOST:]:
        found.setdefault((point.level, point.subject, point.device, point.host), []).append(point)
    return [Line(number, *place, tuple(some)) for number, (place, some) in enumerate(found.items(), 1)]


def as_wanted(point: Point, *, refuted: bool) -> bool:
    """Tell whether a judgement bears the claim out; one that is claimed refuted must fail."""
    return point.outcome in ({"Fail", "Refuted"} if refuted else {"Pass"})


def plot(lines: Sequence[Line], changes: Sequence[Change] = (), *, refuted: bool = False) -> str:
    """Return the SVG of `lines`, which hold a point at least; `refuted` says which outcome is wanted."""
    points = [point for line in lines for point in line.points]
    measured = [point.relative for point in points if point.relative is not None]
    marks = [_seconds(point.at) for point in points]
    across = _Scale(min(marks), max(marks), _LEFT, _WIDTH - _RIGHT, around=_DAY / 2)
    if measured:
        low, high = min(0.0, *measured), max(0.0, *measured)
        up = _Scale(low, high, _HEIGHT - _BOTTOM, _TOP, around=0.01, spare=0.12)
    else:
        up = _Scale(0.0, 1.0, _HEIGHT - _BOTTOM, _TOP, spare=0.25)
    failed = sum(not as_wanted(point, refuted=refuted) for point in points)
    told = f"{len(points)} judgement(s) in {len(lines)} line(s), {failed} not as claimed. The table has them."
    named = 'role="img" aria-labelledby="plot-title plot-text"'
    parts = [
        f'<svg class="plot" viewBox="0 0 {_WIDTH} {_HEIGHT}" {named}>',
        f'<title id="plot-title">{"Margins" if measured else "Outcomes"} over time</title>',
        f'<desc id="plot-text">{told}</desc>',
        *(_margins(up) if measured else _outcomes(up)),
        *_times(across, sorted(set(marks))),
        *_changes(changes, across),
        *(part for line in lines for part in _line(line, across, up, bool(measured), refuted)),
        "</svg>",
    ]
    return "".join(parts)


_LEAST = 1e-300


class _Scale:
    """From values to places on the picture; a range that is no range is widened by `around`."""

    def __init__(
        self, low: float, high: float, start: float, end: float, *, around: float = 0.0, spare: float = 0.04
    ) -> None:
        if high - low < _LEAST:  # of a few of the smallest numbers that there are, no fourth part is one
            low, high = low - around, high + around
        room = (high - low) * spare
        self.low, self.high = low - room, high + room
        self.start, self.end = start, end

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)


def _margins(up: _Scale) -> Iterator[str]:
    """Yield the axis of margins in percent, the threshold at 0, and what lies below it."""
    zero = up(0.0)
    bottom = _HEIGHT - _BOTTOM
    inner = _WIDTH - _LEFT - _RIGHT
    yield f'<rect class="missed" x="{_LEFT}" y="{zero}" width="{inner}" height="{bottom - zero:.1f}"/>'
    for value in _round_values(up.low, up.high):
        place = up(value)
        if value:
            yield f'<path class="grid" d="M{_LEFT},{place}H{_WIDTH - _RIGHT}"/>'
        yield f'<text x="{_LEFT - 8}" y="{place + 4:.1f}" class="end">{_percent(value)}</text>'
    yield f'<path class="threshold" d="M{_LEFT},{zero}H{_WIDTH - _RIGHT}"/>'
    yield f'<text x="{_WIDTH - _RIGHT}" y="{zero - 5:.1f}" class="end">threshold</text>'
    middle = (_TOP + bottom) / 2
    yield (
        f'<text class="title" transform="translate(13,{middle}) rotate(-90)" text-anchor="middle">'
        "margin, % of threshold</text>"
    )


def _outcomes(up: _Scale) -> Iterator[str]:
    """Yield the axis of what has no margin: it passes or fails."""
    for value, word in ((1.0, "Pass"), (0.0, "Fail")):
        yield f'<path class="grid" d="M{_LEFT},{up(value)}H{_WIDTH - _RIGHT}"/>'
        yield f'<text x="{_LEFT - 8}" y="{up(value) + 4:.1f}" class="end">{word}</text>'


def _times(across: _Scale, moments: Sequence[float]) -> Iterator[str]:
    bottom = _HEIGHT - _BOTTOM
    yield f'<path class="axis" d="M{_LEFT},{_TOP}V{bottom}H{_WIDTH - _RIGHT}"/>'
    for tick, word in _ticks(across, moments):
        place = across(tick)
        yield f'<path class="axis" d="M{place},{bottom}v5"/>'
        # A date is some 60 wide: one near the edge keeps inside.
        written = min(max(place, _LEFT), _WIDTH - 38)
        yield f'<text x="{written}" y="{bottom + 19}" text-anchor="middle">{word}</text>'
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    yield f'<text class="title" x="{middle}" y="{_HEIGHT - 6}" text-anchor="middle">'
    yield "time of the run, UTC</text>"


def _ticks(across: _Scale, moments: Sequence[float]) -> Iterator[tuple[float, str]]:
    """Yield some five round times and how they are written; of runs at one moment, that moment."""
    if moments[-1] - moments[0] < _STEPS[0]:
        yield moments[0], f"{dt.datetime.fromtimestamp(moments[0], dt.UTC):%Y-%m-%d %H:%M}"
        return
    step = next((step for step in _STEPS if (across.high - across.low) / step <= 6), _STEPS[-1] * 4)
    tick = math.ceil(across.low / step) * step
    while tick <= across.high:
        at = dt.datetime.fromtimestamp(tick, dt.UTC)
        yield tick, f"{at:%Y-%m-%d}" if step >= _DAY else f"{at:%m-%d %H:%M}"
        tick += step


def _changes(changes: Sequence[Change], across: _Scale) -> Iterator[str]:
    for change in changes:
        place = across(_seconds(change.at))
        yield f'<g class="change"><title>{_text(change.what)}</title>'
        yield f'<path d="M{place},{_TOP}V{_HEIGHT - _BOTTOM}"/>'
        yield f'<text x="{place + 4}" y="{_TOP + 9}">change</text></g>'


def _line(line: Line, across: _Scale, up: _Scale, measured: bool, refuted: bool) -> Iterator[str]:
    places = [
        (across(_seconds(point.at)), up(value), point)
        for point in line.points
        if (value := point.relative if measured else float(point.outcome == "Pass")) is not None
    ]
    if not places:
        return
    yield f'<g class="line l{line.kind}">'
    if len(places) > 1:
        yield f'<path class="course" d="M{"L".join(f"{x},{y}" for x, y, _ in places)}"/>'
    for x, y, point in places:
        good = as_wanted(point, refuted=refuted)
        told = f"{point.at}: {point.outcome}"
        told += f", {_percent(point.relative)} %" if point.relative is not None else ""
        yield f'<g transform="translate({x},{y})"><title>{_text(told)}</title>'
        yield f'<path class="m{line.kind}" d="{_MARKERS[line.kind]}"/>'
        yield "" if good else '<path class="cross" d="M-7,-7L7,7M7,-7L-7,7"/>'
        yield "</g>"
    x, y, _ = places[-1]
    # On the other side where the line before may end in the same place.
    aside = -14 if line.number % 2 == 0 else 8
    yield f'<text x="{min(x + aside, _WIDTH - 10):.1f}" y="{y - 7:.1f}">{line.number}</text></g>'


def _round_values(low: float, high: float) -> Iterator[float]:
    """Yield some five round values between `low` and `high`, 0 among them if it lies there."""
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    for number in range(math.ceil(low / step), math.floor(high / step) + 1):
        yield number * step


def _percent(share: float) -> str:
    value = share * 100
    return f"{value:+.3g}" if value and abs(value) < 1e5 else f"{value:+.1e}" if value else "0"


def _seconds(at: str) -> float:
    moment = dt.datetime.fromisoformat(at)
    return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()


def _text(words: str) -> str:
    return html.escape(printable(words))
