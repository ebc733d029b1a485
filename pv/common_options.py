"""Options that several commands have, and which mean the same in each."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

__all__ = ["add_format_argument", "add_review_arguments"]

# Also groups of arguments.
_Container = argparse._ActionsContainer  # noqa: SLF001  (argparse has no other name for both)


def add_format_argument(
    parser: argparse.ArgumentParser,
    choices: Sequence[str] = ("text", "json"),
    description: str = "json is alone on stdout",
) -> None:
    """Add ``--format``, which is the first of `choices` unless another is asked for, and ``--json``."""
    parser.add_argument("--format", choices=choices, default=choices[0], help=description)
    parser.add_argument(
        "--json", action="store_const", const="json", dest="format", help="same as --format json"
    )


def add_review_arguments(parser: _Container) -> None:
    """Add ``--base`` and ``--trust``, by which a change that nobody has reviewed is told and let run."""
    parser.add_argument(
        "--base",
        metavar="REF",
        help="decline what a change since then had a hand in (default: what a pull request in CI goes into)",
    )
    parser.add_argument(
        "--trust", action="store_true", help="in a pull request: also run what the change had a hand in"
    )
