"""``pv explain``: what a code of a finding means, or what there is to say about a falsifier or a contract."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pv.codes import ALIASES, find_code, known_codes
from pv.common_options import add_format_argument
from pv.errors import SelectionError
from pv.exits import Exit
from pv.printable import printable, printable_json

if TYPE_CHECKING:
    from pv.config import Config
    from pv.contract import Contract

__all__ = ["configure", "run"]

_LOOKS_LIKE_A_CODE = re.compile(
    r"(?:SCHEMA|PROVABILITY|YAML|WAIVER|AUDIT|BIND|PV)(?:-\w+)*", re.IGNORECASE | re.ASCII
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pv explain``."""
    parser.add_argument(
        "what",
        metavar="CODE|ID|CONTRACT",
        help="a code such as SCHEMA-003, an id, contract#ID, or a contract",
    )
    add_format_argument(parser)


def run(arguments: argparse.Namespace) -> Exit:
    """Explain one thing.

    Raises
    ------
    SelectionError
        It is neither a code nor a falsifier nor a contract; the message names what is near.
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
    if (whole := _contract(word, config)) is not None:
        from pv.explain import contract as of_contract

        project = Project(config.root)
        _print(of_contract.as_json(whole, project) if as_json else of_contract.render(whole, project))
        return Exit.ACCEPTED
    chosen = select([word], config)
    if len(chosen) != 1 or not chosen[0].named:
        raise SelectionError(
            f"{word!r} holds several contracts", remedy="name one, or a falsifier; `pv status` lists them all"
        )
    contract, falsifier = chosen[0].contract, chosen[0].falsifier
    address = f"{contract.stem}#{falsifier.id}"
    told = sections(contract, falsifier, Project(config.root))
    _print(falsifier_as_json(address, told) if as_json else render(address, told))
    return Exit.ACCEPTED


def _contract(word: str, config: Config) -> Contract | None:
    """Return the contract that `word` names, by its file or by the name that others depend on it by."""
    from pv.selection import load_all, load_paths

    if "#" in word:
        return None
    if Path(word).is_file():
        (contract,) = load_paths([word], config)
        return contract
    return next((contract for contract in load_all(config) if contract.stem == word), None)


def _print(told: dict[str, object] | dict[str, str] | Iterable[str]) -> None:
    if isinstance(told, dict):
        print(printable_json(json.dumps(told, indent=1)))
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
