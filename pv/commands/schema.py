"""``pv schema``: the JSON Schema of a contract, for editors and other tools."""

from __future__ import annotations

import argparse
from importlib import resources

from pv.exits import Exit

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command; it has no arguments."""
    parser.description = (
        "Print the JSON Schema (2020-12) of a contract. Write it to a file, and name that file in the first "
        "line of a contract, for editors: # yaml-language-server: $schema=FILE"
    )
    parser.add_argument("--format", choices=("json",), default="json", help="there is no other")
    parser.add_argument(
        "--json", action="store_const", const="json", dest="format", help="same as --format json"
    )


def run(_: argparse.Namespace) -> Exit:
    """Print the schema that is in the package; a test holds it equal to what contracts are typed with."""
    print((resources.files("pv") / "contract.schema.json").read_text(encoding="utf-8"), end="")
    return Exit.ACCEPTED
