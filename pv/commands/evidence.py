"""``pv evidence show|verify``: read records, and recompute what they say."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from pv.config import Config, load_config
from pv.errors import EvidenceError, SelectionError
from pv.evidence import read_record, records_of
from pv.exits import Exit
from pv.printable import printable
from pv.reports.evidence import summary
from pv.selection import select
from pv.verify import verify

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pv evidence``."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    show = actions.add_parser("show", help="show the records of falsifiers")
    check = actions.add_parser("verify", help="recompute every verdict; name the section that was altered")
    for action, chosen in ((show, _show), (check, _verify)):
        action.add_argument(
            "what", nargs="*", metavar="ID|PATH", help="falsifiers, contracts or record files; default: all"
        )
        action.add_argument("--format", choices=("text", "json"), default="text")
        action.add_argument(
            "--json", action="store_const", const="json", dest="format", help="same as --format json"
        )
        action.set_defaults(action=chosen)


def run(arguments: argparse.Namespace) -> Exit:
    """Do the action that was named."""
    config = load_config()
    result: Exit = arguments.action(_paths(arguments.what, config), arguments, config)
    return result


def _paths(words: list[str], config: Config) -> list[Path]:
    found: list[Path] = []
    others: list[str] = []
    for word in words:
        path = Path(word).resolve()
        if word.endswith(".json"):
            if not path.is_file():
                raise SelectionError(f"there is no record {word}", remedy="`pv evidence show` lists them")
            found.append(path)
        elif path.is_dir() and path.is_relative_to(config.evidence):
            found += _below(path)
        else:
            others.append(word)
    for item in select(others, config) if others else ():
        found += records_of(config.evidence, item.contract.stem, item.falsifier.id)
    if not words:
        found = _below(config.evidence)
    if not found:
        raise SelectionError("no record was selected: nothing to look at", remedy="`pv discharge` makes them")
    return list(dict.fromkeys(found))


def _below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.json") if not path.name.endswith(".series.json"))


def _show(paths: list[Path], arguments: argparse.Namespace, config: Config) -> Exit:
    if arguments.format == "json":
        print(json.dumps([read_record(path).statement for path in paths], indent=1))
        return Exit.ACCEPTED
    for path in paths:
        record = read_record(path)
        try:
            lines = summary(record, config.relative(path))
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            raise EvidenceError(
                f"{config.relative(path)} has not the shape of a record",
                remedy="`pv evidence verify` says more",
            ) from error
        print("\n".join(printable(line) for line in lines) + "\n")
    return Exit.ACCEPTED


def _verify(paths: list[Path], arguments: argparse.Namespace, config: Config) -> Exit:
    faults: list[dict[str, str]] = []
    for path in paths:
        try:
            verify(read_record(path))
        except EvidenceError as error:
            faults.append({"record": config.relative(path), "fault": error.what})
            print(printable(f"{config.relative(path)}: error: {error.what}"), file=sys.stderr)
            print(f"    {error.remedy}", file=sys.stderr)
    if arguments.format == "json":
        print(json.dumps({"records": len(paths), "faults": faults}, indent=1))
    elif faults:
        print(f"{len(faults)} of {len(paths)} record(s) do not verify.")
    else:
        print(f"{len(paths)} record(s) verified: every verdict follows from its measurements.")
    return Exit.REJECTED if faults else Exit.ACCEPTED
