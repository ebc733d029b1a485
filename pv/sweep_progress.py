"""A sweep, shown to whoever waits: what runs and what is left on a terminal, a line now and then in a log."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from pv.exits import Exit
from pv.forecast import Forecast
from pv.needs import spell_duration
from pv.outcome import EXITS, Discharge
from pv.printable import printable
from pv.sweep import Watcher

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

__all__ = ["Shown", "show_sweep"]

_EVERY_SECONDS = 30.0
_WIDTH = 200
_BAR = 30
"""Columns of the bar, at most; on a narrow terminal it is what goes first."""
_FAR = 30
"""Columns that are left for how far one is, rather than to spell its contract."""
_SPARE_LINES = 4
"""Of a terminal: what is not taken for what runs."""


class Shown(Watcher, Protocol):
    """A watcher that is shown while its context lasts."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""


def show_sweep(stream: TextIO, addresses: Collection[str], known: Mapping[str, float]) -> Shown:
    """Return what shows a sweep of `addresses` on `stream`; `known` is address → seconds of the last time."""
    kind = _Live if stream.isatty() else _Lines
    return kind(stream, len(addresses), Forecast(addresses, known))


class _Counted:
    """What both ways to show it count, and how they tell of a failure."""

    def __init__(self, stream: TextIO, total: int, forecast: Forecast) -> None:
        self.stream = stream
        self.total = total
        self.forecast = forecast
        self.done = 0
        self.failed = 0
        self.began = time.monotonic()

    def count(self, end: Discharge) -> str:
        """Count one that ended; return the line to show if it failed, else nothing."""
        self.done += 1
        self.forecast.ended(end.address, time.monotonic())
        if EXITS[end.outcome] not in {Exit.REJECTED, Exit.ERROR}:
            return ""
        self.failed += 1
        why = end.message.partition("\n")[0]
        return printable(f"{end.outcome.upper()}  {end.address}: {why}"[:_WIDTH])

    def again(self, end: Discharge) -> str:
        """Return the line to show of an attempt that ended without a verdict."""
        self.forecast.ended(end.address, time.monotonic(), again=True)
        why = end.message.partition("\n")[0]
        return printable(f"AGAIN  {end.address}: {why}"[:_WIDTH])

    def counted(self) -> str:
        """Say how many ended, and how many of them failed."""
        return f"{self.done} of {self.total}" + (f", {self.failed} failed" if self.failed else "")

    def expected(self) -> str:
        """Say how long it took so far, and how long the rest takes, if anything tells."""
        now = time.monotonic()
        left = self.forecast.left(now)
        so_far = f"{spell_duration(now - self.began)} so far"
        return so_far if left is None else f"{so_far}, about {spell_duration(max(1.0, left))} to go"


class _Lines(_Counted):
    """Failures as they come; besides, a line each half minute, so that a log shows that it lives."""

    def __init__(self, stream: TextIO, total: int, forecast: Forecast) -> None:
        super().__init__(stream, total, forecast)
        self.last = self.began

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def started(self, address: str) -> None:
        self.forecast.began(address, time.monotonic())

    def told(self, address: str, what: str, done: int, total: int | None) -> None:
        pass

    def ended(self, end: Discharge) -> None:
        if line := self.count(end):
            print(line, file=self.stream, flush=True)

    def retried(self, end: Discharge) -> None:
        print(self.again(end), file=self.stream, flush=True)

    def tick(self) -> None:
        if time.monotonic() - self.last >= _EVERY_SECONDS:
            self.last = time.monotonic()
            print(f"sweep  {self.counted()}; {self.expected()}", file=self.stream, flush=True)


class _Running:
    """One that runs: since when, and how far it says it is."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.what = ""
        self.done = 0
        self.total: int | None = None

    @property
    def far(self) -> str:
        """How far it is, in words."""
        if self.total:
            return f"{self.what} {self.done}/{self.total}".strip()
        return f"{self.what} {self.done or ''}".strip()


class _Live(_Counted):
    """A line for all of it, with a bar, and one for each that runs; none is wider than the terminal."""

    def __init__(self, stream: TextIO, total: int, forecast: Forecast) -> None:
        super().__init__(stream, total, forecast)
        # Imported only for people: rich is most of the start-up of a quick command.
        from rich.console import Console
        from rich.live import Live

        self._live = Live(
            self, console=Console(file=stream), refresh_per_second=4, transient=True, redirect_stdout=False
        )
        self._running: dict[str, _Running] = {}

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def started(self, address: str) -> None:
        self.forecast.began(address, time.monotonic())
        self._running[address] = _Running()

    def told(self, address: str, what: str, done: int, total: int | None) -> None:
        one = self._running.setdefault(address, _Running())
        one.what, one.done, one.total = printable(what), done, total

    def ended(self, end: Discharge) -> None:
        self._running.pop(end.address, None)
        if line := self.count(end):
            self._say(line)

    def retried(self, end: Discharge) -> None:
        self._running.pop(end.address, None)
        self._say(self.again(end))

    def _say(self, line: str) -> None:
        self._live.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def tick(self) -> None:
        pass  # it is drawn anew by itself

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it, as wide as the terminal is now."""
        yield self._whole(options.max_width, plain=not options.encoding.startswith("utf"))
        running = list(self._running.items())
        room = max(1, console.height - _SPARE_LINES)
        for address, one in running[:room]:
            yield _line(_of_one(address, one, options.max_width))
        if len(running) > room:
            yield _line(f"  and {len(running) - room} more")

    def _whole(self, width: int, *, plain: bool) -> Text:
        from rich.text import Text

        told = f"  {self.expected()}"
        if len("sweep  ") + len(self.counted()) + len(told) > width:
            told = f"  {told.rpartition(', about ')[2].strip()}"
        bar = min(_BAR, width - len("sweep  ") - len(self.counted()) - len(told) - 3)
        line = Text("sweep  ", no_wrap=True, overflow="crop", end="")
        line.append(f"{self.done} of {self.total}")
        if self.failed:
            line.append(f", {self.failed} failed", "red")
        if bar >= 8:
            full = bar * self.done // max(1, self.total)
            line.append("  ")
            line.append(("#" if plain else "━") * full, "green")
            line.append(("-" if plain else "─") * (bar - full), "dim")
        line.append(told)
        line.append("\n")
        return line


def _line(words: str) -> Text:
    from rich.text import Text

    return Text(f"{words}\n", no_wrap=True, overflow="crop", end="")


def _of_one(address: str, one: _Running, width: int) -> str:
    """Return the line of one that runs: its time and name always, how far it is where there is room."""
    taken = f"{spell_duration(time.monotonic() - one.began):>10}"
    room = width - len(taken) - 2
    name, identifier = printable(address), printable(address.rpartition("#")[2])
    # Not by what it says now: a name that changes with each word could not be read.
    if len(name) + _FAR > room:
        name = identifier
    # The end of an id tells it from its neighbours.
    return f"{taken}  {name[-max(1, room) :]}  {one.far}"
