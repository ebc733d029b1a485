"""A sweep, shown to whoever waits: a bar on a terminal, a line now and then anywhere else."""

from __future__ import annotations

import contextlib
import time
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from pv.exits import Exit
from pv.needs import spell_duration
from pv.outcome import EXITS, Discharge
from pv.printable import printable
from pv.sweep import Watcher

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

__all__ = ["Shown", "show_sweep"]

_EVERY_SECONDS = 30.0
_WIDTH = 200


class Shown(Watcher, Protocol):
    """A watcher that is shown while its context lasts."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""


def show_sweep(stream: TextIO, total: int) -> Shown:
    """Return what shows a sweep of `total` runs on `stream`."""
    return _Bars(stream, total) if stream.isatty() else _Lines(stream, total)


class _Counted:
    """What both ways to show it count, and how they tell of a failure."""

    def __init__(self, stream: TextIO, total: int) -> None:
        self.stream = stream
        self.total = total
        self.done = 0
        self.failed = 0
        self.began = time.monotonic()

    def count(self, end: Discharge) -> str:
        """Count one that ended; return the line to show if it failed, else nothing."""
        self.done += 1
        if EXITS[end.outcome] not in {Exit.REJECTED, Exit.ERROR}:
            return ""
        self.failed += 1
        why = end.message.partition("\n")[0]
        return printable(f"{end.outcome.upper()}  {end.address}: {why}"[:_WIDTH])

    def again(self, end: Discharge) -> str:
        """Return the line to show of an attempt that ended without a verdict."""
        why = end.message.partition("\n")[0]
        return printable(f"AGAIN  {end.address}: {why}"[:_WIDTH])

    def expected(self) -> str:
        """Say how long it took so far, and how long the rest takes if it goes on like this."""
        taken = time.monotonic() - self.began
        left = taken / self.done * (self.total - self.done) if self.done else 0.0
        return f"{spell_duration(taken)} so far, {spell_duration(left)} to go"


class _Lines(_Counted):
    """Failures as they come; besides, a line each half minute, so that a log shows that it lives."""

    def __init__(self, stream: TextIO, total: int) -> None:
        super().__init__(stream, total)
        self.last = self.began

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def started(self, address: str) -> None:
        pass

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
            failed = f", {self.failed} failed" if self.failed else ""
            print(
                f"sweep  {self.done} of {self.total}{failed}; {self.expected()}",
                file=self.stream,
                flush=True,
            )


class _Bars(_Counted):
    """One bar for all of it, and one for each that runs."""

    def __init__(self, stream: TextIO, total: int) -> None:
        super().__init__(stream, total)
        # Imported only for people: rich is most of the start-up of a quick command.
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._rich: RichProgress = Progress(
            TextColumn("{task.fields[name]}", markup=False),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(file=stream),
            transient=True,
        )
        self._whole = self._rich.add_task("", total=total, name="sweep")
        self._bars: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._rich.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._rich.stop()

    def started(self, address: str) -> None:
        self._bars[address] = self._rich.add_task("", total=None, name=printable(address))

    def told(self, address: str, what: str, done: int, total: int | None) -> None:
        self._rich.update(self._bars[address], description=printable(what), completed=done, total=total)

    def ended(self, end: Discharge) -> None:
        with contextlib.suppress(KeyError):
            self._rich.remove_task(self._bars.pop(end.address))
        if line := self.count(end):
            self._rich.console.print(line, markup=False, highlight=False, soft_wrap=True)
        self._tell_whole()

    def retried(self, end: Discharge) -> None:
        with contextlib.suppress(KeyError):
            self._rich.remove_task(self._bars.pop(end.address))
        self._rich.console.print(self.again(end), markup=False, highlight=False, soft_wrap=True)

    def _tell_whole(self) -> None:
        failed = f"{self.failed} failed, " if self.failed else ""
        self._rich.update(self._whole, completed=self.done, description=f"{failed}{self.expected()}")

    def tick(self) -> None:
        self._rich.update(self._whole, description=self.expected())
