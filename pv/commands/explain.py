"""``pv explain``: what a code of a finding means, or everything there is to say about a falsifier."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable

from pv.codes import ALIASES, find_code, known_codes
from pv.errors import SelectionError
from pv.exits import Exit
from pv.printable import printable

__all__ = ["configure", "run"]

_LOOKS_LIKE_A_CODE = re.compile(r"(?:SCHEMA|PROVABILITY|YAML|WAIVER|PV)(?:-\w+)*", re.IGNORECASE | re.ASCII)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pv explain``."""
    parser.add_argument("what", metavar="CODE|ID", help="a code such as SCHEMA-003, an id, or contract#ID")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="json is alone on stdout")
    parser.add_argument(
        "--json", action="store_const", const="json", dest="format", help="same as --format json"
    )


def run(arguments: argparse.Namespace) -> Exit:
    """Explain one thing.

    Raises
    ------
    SelectionError
        It is neither a code nor a falsifier; the message names what is near.
    """
    word, as_json = arguments.what, arguments.format == "json"
    code = find_code(word)
    if code is not None:
        from pv.explain.code import render as render_code

        _print(code.to_json() if as_json else render_code(code))
        return Exit.ACCEPTED
    if _LOOKS_LIKE_A_CODE.fullmatch(word):
        raise _no_code(word)
    # Imported late: a code can be explained outside of any project.
    from pv.config import load_config
    from pv.explain.falsifier import as_json as falsifier_as_json
    from pv.explain.falsifier import render, sections
    from pv.project import Project
    from pv.selection import select

    config = load_config()
    chosen = select([word], config)
    if len(chosen) != 1 or not chosen[0].named:
        raise SelectionError(
            f"{word!r} holds several falsifiers", remedy="name one; `pv status` lists them all"
        )
    contract, falsifier = chosen[0].contract, chosen[0].falsifier
    address = f"{contract.stem}#{falsifier.id}"
    told = sections(contract, falsifier, Project(config.root))
    _print(falsifier_as_json(address, told) if as_json else render(address, told))
    return Exit.ACCEPTED


def _print(told: dict[str, object] | dict[str, str] | Iterable[str]) -> None:
    if isinstance(told, dict):
        print(json.dumps(told, indent=1))
        return
    for line in told:
        print(printable(line))


def _no_code(word: str) -> SelectionError:
    import difflib

    names = [*known_codes(), *ALIASES]
    near = difflib.get_close_matches(word.upper(), names, n=3, cutoff=0.6)
    return SelectionError(
        f"{word!r} is no code that pv prints",
        remedy=f"did you mean {', '.join(near)}?" if near else "write a code as a finding shows it",
    )
