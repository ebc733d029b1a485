"""``pv evidence history``: how falsifiers came out, run by run."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from pv.config import Config
from pv.errors import ConfigError, SelectionError
from pv.evidence_actions.selecting import addresses_named
from pv.exits import Exit
from pv.printable import printable, printable_json

__all__ = ["configure", "show"]

_LAST = 20


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pv evidence history``."""
    parser.add_argument("what", nargs="+", metavar="ID", help="falsifiers or contracts")
    parser.add_argument(
        "--from",
        dest="sources",
        action="append",
        choices=("ledger", "folder", "git", "store"),
        help="where records are read; repeatable; default: wherever there are any",
    )
    parser.add_argument(
        "--last", type=int, metavar="N", help="runs of each series to list in text (default: 20)"
    )


def show(arguments: argparse.Namespace, config: Config) -> Exit:
    """Show the history of what was named."""
    from pv.history import into_series, points_of
    from pv.history_sources import gather
    from pv.reports.history import history_json, history_lines

    if arguments.last is not None and arguments.format == "json":
        raise ConfigError("--last shortens the text, and JSON lists every run", remedy="leave --last out")
    last = _LAST if arguments.last is None else arguments.last
    if last < 1:
        raise ConfigError(f"--last {last} is less than 1", remedy="give a positive number")
    documents: list[dict[str, Any]] = []
    for address in addresses_named(arguments.what, config):
        found = gather(address, config, arguments.sources)
        name = "#".join(address)
        every = into_series(points_of(found.facts))
        documents.append(history_json(name, every, found))
        if every and arguments.format == "text":
            lines = history_lines(name, every, found, last=last)
            print("\n".join(map(printable, lines)), end="\n\n")
        if found.refused:
            first = f"{found.refused[0].name}: {found.refused[0].why}"
            told = f"{name}: {len(found.refused)} left out, which do not verify; the first: {first}"
            print(printable(told), file=sys.stderr)
    if not any(document["series"] for document in documents):
        raise SelectionError("no run of it is on record", remedy="`pv discharge` makes records")
    if arguments.format == "json":
        print(printable_json(json.dumps(documents, indent=1)))
    return Exit.ACCEPTED
