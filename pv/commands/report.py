"""``pv report``: a static site of what evidence supports."""

from __future__ import annotations

import argparse
import datetime as dt
import gc
import os
import sys
from pathlib import Path

from pv.commands.status import status_report
from pv.config import load_config
from pv.errors import ConfigError
from pv.exits import Exit
from pv.printable import printable
from pv.waivers import load_waivers

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pv report``."""
    parser.add_argument("what", nargs="*", metavar="ID|PATH", help="default: every contract of the project")
    parser.add_argument(
        "--html", required=True, type=Path, metavar="DIR", help="write the site to this folder, replacing it"
    )


def run(arguments: argparse.Namespace) -> Exit:
    """Derive the statuses and write the pages; runs no check.

    Raises
    ------
    SelectionError
        Nothing was selected.
    ConfigError
        jinja2 is not installed, the folder holds something else, or ``SOURCE_DATE_EPOCH`` is no time.
    """
    gc.disable()  # what is read and derived is needed to the end, and there may be much of it
    try:
        pages = _write(arguments)
    finally:
        gc.enable()
    print(printable(f"{pages} pages in {arguments.html}; begin with index.html"), file=sys.stderr)
    return Exit.ACCEPTED


def _write(arguments: argparse.Namespace) -> int:
    # Imported late: of these, only this command has a use.
    from pv.reports.site.investigations import read_investigations
    from pv.reports.site.last_sweep import last_sweep
    from pv.reports.site.source import Source
    from pv.reports.site.write import write_site
    from pv.revision import revision
    from pv.sweep_run import FOLDER

    config = load_config()
    waivers = load_waivers(config, _today())
    source = Source(
        report=status_report(arguments.what, config, waivers),
        config=config,
        today=waivers.today,
        waivers=waivers.waivers,
        investigations=read_investigations(config),
        sweep=last_sweep(config.root / FOLDER),
        commit=str(revision(config.root, ignoring=config.relative(config.evidence))["commit"] or ""),
    )
    return write_site(arguments.html, source)


def _today() -> dt.date | None:
    """Return the day that ``SOURCE_DATE_EPOCH`` names, so that a build can be made again; None for today.

    Raises
    ------
    ConfigError
        It is no number of seconds.
    """
    stated = os.environ.get("SOURCE_DATE_EPOCH")
    if not stated:
        return None
    try:
        return dt.datetime.fromtimestamp(int(stated), dt.UTC).date()
    except (ValueError, OverflowError, OSError) as error:
        raise ConfigError(
            f"SOURCE_DATE_EPOCH is {stated!r}, which is no number of seconds since 1970",
            remedy="unset it, or set it to one",
        ) from error
