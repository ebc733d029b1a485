"""A progress bar for the person who waits; nothing where nobody watches."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from pv.discharge import Tell

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

__all__ = ["Progress"]


class Progress:
    """Progress on `stream`, which must be a terminal for anything to show."""

    def __init__(self, stream: TextIO) -> None:
        self._bar: Bar | None = None
        if stream.isatty():
            # Imported only for people: rich is most of the start-up of a quick command.
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(
                TextColumn("{task.fields[falsifier]}", markup=False),
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=Console(file=stream),
                transient=True,
            )

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    @contextlib.contextmanager
    def of(self, falsifier: str) -> Iterator[Tell]:
        """Show the progress of one falsifier while the context lasts."""
        bar = self._bar
        if bar is None:
            yield lambda _what, _done, _total: None
            return
        task = bar.add_task("", total=None, falsifier=falsifier)
        try:
            yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)
        finally:
            bar.remove_task(task)
