"""``pv migrate``: write old spellings of contracts as they are written now, and nothing else."""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from collections.abc import Sequence
from typing import Any

from pv.common_options import add_format_argument
from pv.contract import NotAContractError, load_contract
from pv.errors import PvError, SelectionError
from pv.exits import Exit, worst
from pv.printable import printable, printable_json
from pv.repository import find_contracts
from pv.rewritten_file import RewrittenFile, rewrite_file

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pv migrate``."""
    parser.description = (
        "Rewrite keys that contracts of the Rust pv have under old names into the names that are used now. "
        "What is found in a contract stays the same; a rewrite that would change it is left out, and told."
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a contract, or a folder of such")
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="print what would change as a unified diff, write nothing; exit 1 if there is anything",
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 if a contract would be written"
    )
    add_format_argument(parser)


def run(arguments: argparse.Namespace) -> Exit:
    """Rewrite every contract whole or not at all; those that do not load are told, and reject.

    Raises
    ------
    SelectionError
        A path names nothing, or no contract.
    """
    from pv.rewrites import old_spellings

    looking = arguments.dry_run or arguments.check
    ends: list[Exit] = []
    done: list[RewrittenFile] = []
    for path in find_contracts(arguments.paths):
        try:
            load_contract(path)
            found = rewrite_file(path, old_spellings)
            if found.changed and not looking:
                found.write()
        except NotAContractError as note:
            print(printable(f"{path}: note: {note.what}; it was left alone"), file=sys.stderr)
            continue
        except PvError as error:
            for line in str(error).splitlines():
                print(printable(line), file=sys.stderr)
            ends.append(error.exit)
            continue
        done.append(found)
        ends.append(Exit.REJECTED if looking and found.changed else Exit.ACCEPTED)
    if not ends:
        raise SelectionError("no contract was named", remedy="Name a contract or a folder with contracts.")
    (_json if arguments.format == "json" else _text)(done, arguments)
    return worst(ends)


def _text(done: Sequence[RewrittenFile], arguments: argparse.Namespace) -> None:
    looking = arguments.dry_run or arguments.check
    for one in done:
        if arguments.dry_run:
            _diff(one)
        for rewrite in one.rewritten.made if not arguments.dry_run else ():
            print(printable(f"{rewrite.where}: {rewrite.said}"))
        sys.stdout.flush()
        for note in one.notes:
            print(printable(note), file=sys.stderr)
    count = sum(len(one.rewritten.made) for one in done)
    files = sum(one.changed for one in done)
    if not files:
        print(f"{len(done)} contract(s) have no old spelling that can be rewritten")
    else:
        verb = "would be rewritten" if looking else "rewritten"
        print(f"{count} spelling(s) {verb} in {files} of {len(done)} contract(s)")


def _diff(one: RewrittenFile) -> None:
    old, new = (data.decode("utf-8").splitlines() for data in (one.before, one.after))
    for line in difflib.unified_diff(old, new, one.shown, one.shown, lineterm=""):
        print(printable(line))


def _json(done: Sequence[RewrittenFile], arguments: argparse.Namespace) -> None:
    looking = arguments.dry_run or arguments.check

    def one(found: RewrittenFile) -> dict[str, Any]:
        place = ("line", "column")
        made, left = found.rewritten.made, found.rewritten.left
        return {
            "file": found.shown,
            "written": found.changed and not looking,
            "rewrites": [{**{key: getattr(r.where, key) for key in place}, "what": r.said} for r in made],
            "left": [
                {**{key: getattr(r.where, key) for key in place}, "what": r.said, "why": r.why} for r in left
            ],
            "stale": list(found.stale),
        }

    document = {
        "contracts": len(done),
        "files": [one(found) for found in done if found.changed or found.rewritten.left],
    }
    print(printable_json(json.dumps(document, indent=1)))
