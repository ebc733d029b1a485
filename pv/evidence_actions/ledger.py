"""``pv evidence ledger``: enter records into the ledger, and verify the chain of its entries."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter

from pv.config import Config
from pv.errors import ConfigError, SelectionError
from pv.exits import Exit
from pv.printable import printable, printable_json

__all__ = ["configure", "run"]

_HEAD = re.compile(r"[0-9a-f]{64}")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pv evidence ledger``."""
    parser.add_argument(
        "do", nargs="?", choices=("enter", "verify"), default="enter",
        help="enter records, which is the default, or follow the chain of what was entered",
    )  # fmt: skip
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
    parser.add_argument(
        "--head", metavar="DIGEST", help="of verify: a head that it printed before, which must still be there"
    )


def run(arguments: argparse.Namespace, config: Config) -> Exit:
    """Enter records, or verify the chain."""
    if arguments.do == "verify":
        return _verify(arguments, config)
    if arguments.head is not None:
        raise ConfigError("--head is compared by verify", remedy="`pv evidence ledger verify --head DIGEST`")
    return _enter(arguments, config)


def _verify(arguments: argparse.Namespace, config: Config) -> Exit:
    from pv.ledger import open_ledger

    if arguments.sources:
        raise ConfigError("--from is where records to enter are read", remedy="leave --from out")
    if arguments.head is not None and not _HEAD.fullmatch(arguments.head):
        raise ConfigError(f"--head {arguments.head} is no sha256", remedy="give all 64 digits")
    ledger = open_ledger(arguments.url, config)
    found = ledger.walk(arguments.head)
    broken = found.broken
    if not found.entries and broken is None:
        raise SelectionError(f"nothing was entered into {ledger.shown}", remedy="`pv evidence ledger` does")
    if arguments.format == "json":
        told = (
            None
            if broken is None
            else {"position": broken.position, "reason": broken.reason, "why": broken.why}
        )
        document = {"ledger": ledger.shown, "entries": found.entries, "head": found.head, "broken": told}
        print(printable_json(json.dumps(document, indent=1)))
    elif broken is not None:
        print(printable(f"BROKEN at entry {broken.position}: {broken.reason}: {broken.why}"))
        print(printable(f"{found.entries} entries before it are chained: {ledger.shown}"))
    else:
        print(printable(f"{found.entries} entries, each chained to those before it: {ledger.shown}"))
        print(f"head {found.head}")
    return Exit.ACCEPTED if broken is None else Exit.REJECTED


def _enter(arguments: argparse.Namespace, config: Config) -> Exit:
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
