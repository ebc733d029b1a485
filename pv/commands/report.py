"""``pv report``: a static site of what evidence supports."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pv.commands.status import status_report
from pv.config import load_config
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
        jinja2 is not installed, or the folder holds something else.
    """
    # Imported late: of these, only this command has a use.
    from pv.reports.site import write_site
    from pv.revision import revision

    config = load_config()
    waivers = load_waivers(config)
    report = status_report(arguments.what, config, waivers)
    commit = revision(config.root, ignoring=config.relative(config.evidence))["commit"]
    pages = write_site(arguments.html, report, waivers.waivers, config, waivers.today, str(commit or ""))
    print(printable(f"{pages} pages in {arguments.html}; begin with index.html"), file=sys.stderr)
    return Exit.ACCEPTED
