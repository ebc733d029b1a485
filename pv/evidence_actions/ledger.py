"""``pv evidence ledger``: enter records into the ledger."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter

from pv.config import Config
from pv.errors import SelectionError
from pv.exits import Exit
from pv.printable import printable, printable_json

__all__ = ["configure", "enter"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pv evidence ledger``."""
    parser.add_argument(
        "--url", help="sqlite:///FILE or postgresql://HOST/DATABASE; default: that of pv.toml, else below .pv"
    )
    parser.add_argument(
        "--from",
        dest="sources",
        action="append",
        choices=("folder", "git", "store"),
        help="where records are read; repeatable; default: folder and git, and the store of pv.toml",
    )


def enter(arguments: argparse.Namespace, config: Config) -> Exit:
    """Enter every record into the ledger that is not there."""
    from pv.ledger import open_ledger
    from pv.ledger.filling import fill

    sources = arguments.sources or ["folder", "git", *(["store"] if config.store else [])]
    ledger = open_ledger(arguments.url, config)
    filled = fill(ledger, config, sources)
    if not filled.read and not filled.refused:
        raise SelectionError(
            f"no record in {', '.join(sources)}: nothing was entered", remedy="`pv discharge` makes them"
        )
    if arguments.format == "json":
        document = {
            "ledger": ledger.shown,
            "from": sources,
            "records": filled.read,
            "entered": filled.new,
            "refused": [{"name": one.name, "why": one.why} for one in filled.refused],
        }
        print(printable_json(json.dumps(document, indent=1)))
    else:
        for why, count in Counter(one.why for one in filled.refused).items():
            first = next(one.name for one in filled.refused if one.why == why)
            others = f" and {count - 1} more" if count > 1 else ""
            print(printable(f"REFUSED  {first}{others}: {why}"), file=sys.stderr)
        there = filled.read - filled.new
        refused = f", {len(filled.refused)} REFUSED" if filled.refused else ""
        print(printable(f"{filled.new} entered, {there} there already{refused}: {ledger.shown}"))
    return Exit.ACCEPTED if filled.read else Exit.REJECTED
