"""``pv status``: what evidence supports, for every falsifier, and what keeps a model from being shipped."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pv.blocking import read_blocking
from pv.common_options import add_format_argument
from pv.config import Config, load_config
from pv.contract import Contract
from pv.errors import PvError, SelectionError
from pv.exits import Exit
from pv.movement import Change, changes_since, past_statuses
from pv.printable import printable, printable_json
from pv.reports.destinations import add_report_argument, reporting
from pv.reports.status import StatusReport, as_json, markdown, text
from pv.selection import Selected, load_all, select
from pv.status import derive
from pv.tally import Row, readiness
from pv.waivers import Waivers, load_waivers

if TYPE_CHECKING:
    from pv.reports.gathering import Gathered

__all__ = ["configure", "run", "status_report"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pv status``."""
    parser.add_argument("what", nargs="*", metavar="ID|PATH", help="default: every contract of the project")
    parser.add_argument(
        "--against",
        metavar="REF",
        help="also say what changed since this git revision, derived from its tree",
    )
    add_format_argument(parser, ("text", "json", "markdown"), "how it is written")
    add_report_argument(parser)


def run(arguments: argparse.Namespace) -> Exit:
    """Derive and show; a status is never typed, so there is nothing here to reject.

    Raises
    ------
    SelectionError
        Nothing was selected, or ``--against`` names no revision that has the project.
    WaiverError
        The waivers cannot be used.
    """
    config = load_config()
    aside = arguments.format != "text"
    with reporting(arguments.report, "status", config.root, json_on_stdout=aside) as gathered:
        _run(arguments, config, gathered)
        if gathered is not None:
            gathered.ended = Exit.ACCEPTED
    return Exit.ACCEPTED


def _run(arguments: argparse.Namespace, config: Config, gathered: Gathered | None) -> None:
    report = status_report(arguments.what, config, load_waivers(config), arguments.against)
    if arguments.format == "json":
        print(printable_json(json.dumps(as_json(report), indent=1)))
    else:
        print(*(markdown if arguments.format == "markdown" else text)(report), sep="\n")
    if gathered is not None:
        from pv.reports.gathering import result_of_row

        gathered.results += [
            result_of_row(row, config, report.waived.get(row.address, "")) for row in report.rows
        ]


def status_report(
    words: Sequence[str], config: Config, waivers: Waivers, against: str | None = None
) -> StatusReport:
    """Derive the statuses of what `words` name, by default of every contract, and what follows from them.

    Raises
    ------
    SelectionError
        Nothing was selected, or `against` names no revision that has the project.
    """
    chosen = select(words, config) if words else _everything(config)
    if not chosen:
        raise SelectionError("the contracts have no falsifiers", remedy="add falsification_tests to one")
    rows = [
        Row(item.contract, item.falsifier, derive(item.contract, item.falsifier, config)) for item in chosen
    ]
    selected = bool(words)
    contracts = {item.contract.stem: item.contract for item in chosen}
    if selected:
        # Who waits on these may stand in a contract that was not named.
        contracts = _others(config) | contracts
    return StatusReport(
        rows=rows,
        models=readiness(rows, config),
        blocking=read_blocking(contracts.values()),
        waived={
            row.address: waiver.note
            for row in rows
            if (waiver := waivers.of(row.contract, row.falsifier)) and not row.settled
        },
        change=_change(against, config, rows, chosen, selected=selected),
        selected=selected,
    )


def _everything(config: Config) -> list[Selected]:
    return [
        Selected(contract, falsifier, named=False)
        for contract in load_all(config)
        for falsifier in contract.falsifiers
    ]


def _others(config: Config) -> dict[str, Contract]:
    try:
        return {contract.stem: contract for contract in load_all(config)}
    except PvError as error:
        # A contract that was not asked for must not keep this one from being shown.
        told = f"note: who waits on what was selected is not wholly known: {error.what}"
        print(printable(told), file=sys.stderr)
        return {}


def _change(
    revision: str | None, config: Config, rows: list[Row], chosen: list[Selected], *, selected: bool
) -> Change | None:
    if revision is None:
        return None
    past = past_statuses(config, revision)
    # Of a falsifier that was named alone, the others of its contract are not missing.
    named = {item.contract.stem for item in chosen if item.named}
    # One whose falsifiers are all gone is still there, and has no row.
    there = [item.contract for item in chosen] if selected else load_all(config)
    whole = {contract.stem for contract in there} - named
    return changes_since(past, rows, whole, whole=not selected)
