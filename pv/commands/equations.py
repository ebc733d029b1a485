"""``pv equations``: what contracts say in formulas, and who speaks of each."""

from __future__ import annotations

import argparse
import json
import sys

from pv.common_options import add_format_argument
from pv.config import load_config
from pv.equations import spoken_of
from pv.errors import SelectionError
from pv.exits import Exit
from pv.printable import printable_json
from pv.reports.equations import as_json, tex, text
from pv.selection import load_paths

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pv equations``."""
    parser.add_argument("paths", nargs="*", metavar="PATH", help="default: every contract of the project")
    add_format_argument(parser, ("text", "latex", "json"))


def run(arguments: argparse.Namespace) -> Exit:
    """Print the equations of the contracts.

    Raises
    ------
    SelectionError
        None of them has an equation.
    """
    contracts = [(one, spoken_of(one)) for one in load_paths(arguments.paths, load_config(required=False))]
    contracts = [(contract, equations) for contract, equations in contracts if equations]
    if not contracts:
        raise SelectionError("no equations in what was named", remedy="add `equations:` to a contract")
    if arguments.format == "json":
        print(printable_json(json.dumps(as_json(contracts), indent=1)))
    else:
        print(*(tex if arguments.format == "latex" else text)(contracts), sep="\n")
    sys.stdout.flush()
    return Exit.ACCEPTED
