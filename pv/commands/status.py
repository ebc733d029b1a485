"""``pv status``: what evidence supports, for every falsifier."""

from __future__ import annotations

import argparse
import json
from typing import Any

from pv.config import load_config
from pv.contract import Contract, Falsifier
from pv.errors import SelectionError
from pv.exits import Exit
from pv.printable import printable
from pv.reports.discharge import margin
from pv.selection import load_all, select
from pv.status import Status, contract_status, derive

__all__ = ["configure", "run"]

Row = tuple[Contract, Falsifier, Status]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pv status``."""
    parser.add_argument("what", nargs="*", metavar="ID|PATH", help="default: every contract of the project")
    parser.add_argument("--format", choices=("text", "json", "markdown"), default="text")
    parser.add_argument(
        "--json", action="store_const", const="json", dest="format", help="same as --format json"
    )


def run(arguments: argparse.Namespace) -> Exit:
    """Derive and show; a status is never typed, so there is nothing here to reject."""
    config = load_config()
    if arguments.what:
        chosen = [(item.contract, item.falsifier) for item in select(arguments.what, config)]
    else:
        chosen = [(contract, falsifier) for contract in load_all(config) for falsifier in contract.falsifiers]
    if not chosen:
        raise SelectionError("the contracts have no falsifiers", remedy="add falsification_tests to one")
    rows = [(contract, falsifier, derive(contract, falsifier, config)) for contract, falsifier in chosen]
    {"text": _text, "json": _json, "markdown": _markdown}[arguments.format](rows)
    return Exit.ACCEPTED


def _by_contract(rows: list[Row]) -> dict[str, list[Row]]:
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row[0].stem, []).append(row)
    return grouped


def _worst(rows: list[Row]) -> str:
    return contract_status((falsifier, status) for _, falsifier, status in rows)


def _margin(status: Status) -> str:
    last = status.records[-1].predicate["verdict"] if status.records else None
    return margin(last)


def _text(rows: list[Row]) -> None:
    identifiers = max(len(falsifier.id) for _, falsifier, _ in rows)
    names = max(len(status.name) for _, _, status in rows)
    for stem, group in _by_contract(rows).items():
        print(printable(f"{stem}: {_worst(group)}"))
        for _, falsifier, status in group:
            blocking = "ship-blocking" if falsifier.ship_blocking else ""
            line = f"  {falsifier.id:<{identifiers}}  {status.name:<{names}}  {blocking:<13}  {status.reason}"
            print(printable(line.rstrip()))
        print()


def _markdown(rows: list[Row]) -> None:
    def cell(text: str) -> str:
        return printable(text).replace("|", "\\|").replace("<", "&lt;")

    for stem, group in _by_contract(rows).items():
        print(f"## {cell(stem)}: {_worst(group)}\n")
        print("| falsifier | status | blocks | margin | reason |\n|---|---|---|---|---|")
        for _, falsifier, status in group:
            blocks = "yes" if falsifier.ship_blocking else ""
            cells = (cell(falsifier.id), status.name, blocks, cell(_margin(status)), cell(status.reason))
            print(f"| {' | '.join(cells)} |")
        print()


def _json(rows: list[Row]) -> None:
    def one(row: Row) -> dict[str, Any]:
        contract, falsifier, status = row
        return {
            "falsifier": f"{contract.stem}#{falsifier.id}",
            "rule": falsifier.rule,
            "status": status.name,
            "claimed": falsifier.discharge_status,
            "ship_blocking": falsifier.ship_blocking,
            "reason": status.reason,
            "margin": _margin(status),
            "records": ["/".join(record.path.parts[-3:]) for record in status.records],
        }

    document = {
        "contracts": {stem: _worst(group) for stem, group in _by_contract(rows).items()},
        "falsifiers": [one(row) for row in rows],
    }
    print(json.dumps(document, indent=1))
