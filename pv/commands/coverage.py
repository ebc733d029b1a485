"""``pv coverage``: which proof obligations are covered by falsifiers that ran."""

from __future__ import annotations

import argparse
import json
import re
import sys
from fractions import Fraction

from pv.common_options import add_format_argument
from pv.config import load_config
from pv.contract import LEVELS
from pv.coverage import cover, share
from pv.errors import SelectionError
from pv.exits import Exit
from pv.garbage import uncollected
from pv.printable import printable_json
from pv.reports.coverage import as_json, shown_share, text
from pv.result_cache.no_cache import add_cache_argument, minding_cache
from pv.selection import load_paths

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pv coverage``."""
    parser.add_argument("paths", nargs="*", metavar="PATH", help="default: every contract of the project")
    parser.add_argument(
        "--level",
        choices=LEVELS,
        default="functional",
        help="the lowest level that counts (default: functional)",
    )
    parser.add_argument(
        "--minimum", type=_percent, metavar="PCT", help="exit 1 where less than this share of all is covered"
    )
    add_format_argument(parser)
    add_cache_argument(parser)


def run(arguments: argparse.Namespace) -> Exit:
    """Count and show; exit 1 only below ``--minimum``.

    Raises
    ------
    SelectionError
        No obligation counts: nothing to cover is not everything covered.
    """
    with uncollected(), minding_cache(arguments):
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> Exit:
    config = load_config(required=False)
    coverages = [cover(contract, config) for contract in load_paths(arguments.paths, config)]
    part = share([one for coverage in coverages for one in coverage.obligations], arguments.level)
    if part is None:
        raise SelectionError(
            f"no obligations that apply in {len(coverages)} contract(s): nothing to cover",
            remedy="add proof_obligations with ids, and `covers:` to the falsifiers",
        )
    if arguments.format == "json":
        print(printable_json(json.dumps(as_json(coverages, arguments.level, config), indent=1)))
    else:
        print(*text(coverages, arguments.level, config), sep="\n")
    minimum: Fraction | None = arguments.minimum
    if minimum is not None and part * 100 < minimum:
        sys.stdout.flush()
        print(
            f"error: {shown_share(part)} is covered at {arguments.level} level or above,"
            f" less than the minimum of {float(minimum):g} %",
            file=sys.stderr,
        )
        return Exit.REJECTED
    return Exit.ACCEPTED


def _percent(words: str) -> Fraction:
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,6})?", words, re.ASCII) or Fraction(words) > 100:
        raise argparse.ArgumentTypeError(f"{words!r} is no percentage from 0 to 100")
    return Fraction(words)
