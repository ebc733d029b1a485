"""``--report FORMAT[:FILE]``: which reports were asked for, and how they reach their files."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from pv.errors import ConfigError
from pv.whole_file import replace_file

if TYPE_CHECKING:
    from pv.reports.gathering import Gathered
    from pv.reports.model import Report

__all__ = ["FORMATS", "Destination", "add_report_argument", "destinations", "reporting", "write_atomically"]

FORMATS = {
    "json": "pv.reports.formats.json",
    "jsonl": "pv.reports.formats.jsonl",
    "junit": "pv.reports.formats.junit",
    "sarif": "pv.reports.formats.sarif",
    "github": "pv.reports.formats.github",
    "markdown": "pv.reports.formats.markdown",
}
"""Format → the module that writes it, imported when it is asked for."""


class Writer(Protocol):
    """A module of :mod:`pv.reports.formats`."""

    def write(self, report: Report) -> str:
        """Return `report` as text."""


@dataclasses.dataclass(frozen=True)
class Destination:
    """One report that was asked for; without `file`, it goes to standard output."""

    format: str
    file: Path | None


def add_report_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--report`` to a command."""
    parser.add_argument(
        "--report",
        action="append",
        default=[],
        metavar="FORMAT[:FILE]",
        help=f"also write a report, to standard output without FILE; repeatable ({', '.join(FORMATS)})",
    )


def destinations(words: Sequence[str], *, json_on_stdout: bool) -> list[Destination]:
    """Return what `words` ask for, once it is plain that it can be written.

    Raises
    ------
    ConfigError
        A format is unknown, a file cannot be one, or two things want the same place.
    """
    found: list[Destination] = []
    for word in words:
        name, _, file = word.partition(":")
        if name not in FORMATS:
            raise ConfigError(
                f"--report {word!r}: there is no format {name!r}", remedy=f"use one of {', '.join(FORMATS)}"
            )
        path = None if file in {"", "-"} else Path(os.path.realpath(file))
        if path and (path.is_dir() or not path.parent.is_dir()):
            why = "it is a folder" if path.is_dir() else f"there is no folder {path.parent}"
            raise ConfigError(f"--report {word!r} cannot be written: {why}", remedy="name a file to write")
        found.append(Destination(name, path))
    aside = [one for one in found if one.file is None]
    if len(aside) > 1 or (aside and json_on_stdout):
        raise ConfigError(
            f"--report {aside[-1].format} and another output both want standard output",
            remedy=f"name a file for it: --report {aside[-1].format}:FILE",
        )
    files = [one.file for one in found if one.file]
    if twice := next((file for file in files if files.count(file) > 1), None):
        raise ConfigError(f"two reports want {twice}", remedy="name a file for each")
    return found


@contextlib.contextmanager
def reporting(
    words: Sequence[str], command: str, root: Path | None = None, *, json_on_stdout: bool = False
) -> Iterator[Gathered | None]:
    """Write the reports that `words` ask for once the block ends, however it ends.

    Yields what the block is to fill, or None where no report was asked for. `root` is a folder of the
    project; by default the one that the command runs in. Where a report goes to standard output, what the
    block prints goes to standard error.

    Raises
    ------
    ConfigError
        The reports cannot be written; nothing was run.
    OSError
        A report could not be written after all.
    """
    wanted = destinations(words, json_on_stdout=json_on_stdout)
    if not wanted:
        yield None
        return
    # Imported late: hooks ask for no report.
    from pv.reports.gathering import Gathered

    gathered = Gathered(command, root or Path.cwd())
    out = sys.stdout
    aside = next((one.format for one in wanted if one.file is None), None)
    with contextlib.ExitStack() as around:
        if aside == "github":
            from pv.reports.formats.github import without_commands

            around.enter_context(without_commands(out))
        elif aside:
            around.enter_context(contextlib.redirect_stdout(sys.stderr))
        try:
            yield gathered
        except BaseException as error:
            around.close()
            # What broke the command is what its user must hear, whatever else goes wrong.
            with contextlib.suppress(OSError):
                _write_all(wanted, gathered.report(error))
            raise
    _write_all(wanted, gathered.report())


def _write_all(wanted: Sequence[Destination], report: Report) -> None:
    failed: OSError | None = None
    for one in wanted:
        writer = cast("Writer", importlib.import_module(FORMATS[one.format]))
        text = writer.write(report)
        try:
            if one.file is None:
                sys.stdout.write(text)
                sys.stdout.flush()
            else:
                write_atomically(one.file, text)
            if one.format == "github" and one.file is None:
                from pv.reports.formats.github import append_summary

                append_summary(report)
        except OSError as error:
            failed = failed or error
    if failed:
        raise failed


def write_atomically(path: Path, text: str) -> None:
    """Write `text` as UTF-8: whoever reads `path` finds the old bytes or the new ones, never a part.

    A pipe or a device is written to instead of being replaced.

    Raises
    ------
    OSError
        It cannot be written.
    """
    data = text.encode("utf-8", "backslashreplace")
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(path.stat().st_mode):
            path.write_bytes(data)
            return
    replace_file(path, data)
