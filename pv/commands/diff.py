"""``pv diff``: in what versions of contracts differ in meaning, and what that asks of their numbers."""

from __future__ import annotations

import argparse
import sys

from pv.common_options import add_format_argument
from pv.exits import Exit
from pv.printable import printable, printable_json

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pv diff``."""
    parser.description = (
        "Say in what two versions of contracts differ in meaning: claims that came, went, or became weaker or"
        " stronger; how far the version should be raised; and which records of evidence are unsettled by it."
        " Nothing is run. Two records are compared by `pv evidence diff`."
    )
    for name, which in (("old", "the older"), ("new", "the newer")):
        parser.add_argument(
            name, metavar=name.upper(), help=f"{which} contract or folder: a path, or REV:path as git has it"
        )
    add_format_argument(parser)


def run(arguments: argparse.Namespace) -> Exit:
    """Compare; exit 0 if each version was raised as far as its changes ask, 1 if one was not.

    Raises
    ------
    SelectionError
        A side names no contract.
    ContractError, DocumentError
        A contract cannot be read.
    """
    # Imported late: whoever asks for help compares nothing.
    from pv.config import load_config
    from pv.contract_sources import pairs
    from pv.meaning.contracts import compare_contracts
    from pv.reports.meaning import Compared, as_json, text
    from pv.unsettled import unsettled

    found = pairs(arguments.old, arguments.new)
    every = [
        Compared(before, after, compare_contracts(before, after) if before and after else ())
        for before, after in found
    ]
    records = unsettled(found, load_config(required=False))
    if arguments.format == "json":
        import json

        print(printable_json(json.dumps(as_json(every, records), indent=1)))
    else:
        print(*text(every, records), sep="\n")
    short = [one for one in every if not one.suffices]
    if short:
        sys.stdout.flush()
    for one in short:
        wanted = one.bump.name.lower() if one.bump else "no other"
        print(
            printable(f"error: {one.name}: its changes ask for a {wanted} version")
            if one.bump
            else printable(f"error: {one.name}: its version was lowered, or cannot be read"),
            file=sys.stderr,
        )
    return Exit.REJECTED if short else Exit.ACCEPTED
