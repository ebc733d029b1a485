"""``pv waivers list`` and ``pv waivers lint``: what is waived, and whether it may be."""

from __future__ import annotations

import argparse
import datetime as dt
import json
from collections.abc import Sequence

from pv.common_options import add_format_argument
from pv.config import Config, load_config
from pv.contract import Contract
from pv.errors import ConfigError
from pv.exits import Exit
from pv.finding import Finding
from pv.printable import printable, printable_json
from pv.selection import load_all
from pv.status import derive
from pv.waivers import Waiver, WaiverError, Waivers, lint_waivers, load_waivers, utc_today

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pv waivers``."""
    parser.add_argument("action", choices=("list", "lint"), help="list: show each; lint: find what is wrong")
    parser.add_argument(
        "--on", metavar="YYYY-MM-DD", help="judge by this day (UTC) instead of today: what will have expired?"
    )
    add_format_argument(parser)


def run(arguments: argparse.Namespace) -> Exit:
    """List or lint; having no waivers is no fault."""
    today = _day(arguments.on)
    config = load_config()
    if arguments.action == "list":
        _list(config, today, as_json=arguments.format == "json")
        return Exit.ACCEPTED
    findings, count = _lint(config, today)
    (_findings_json if arguments.format == "json" else _findings_text)(findings, count)
    return Exit.REJECTED if findings else Exit.ACCEPTED


def _day(word: str | None) -> dt.date:
    if word is None:
        return utc_today()
    try:
        day = dt.date.fromisoformat(word)
    except ValueError:
        day = None
    if day is None or day.isoformat() != word:
        raise ConfigError(f"--on {word!r} is no date", remedy="write it as YYYY-MM-DD")
    return day


def _load(config: Config, today: dt.date) -> tuple[Waivers, Sequence[Contract]]:
    contracts = load_all(config) if config.waivers is not None else []
    return load_waivers(config, today, contracts), contracts


def _list(config: Config, today: dt.date, *, as_json: bool) -> None:
    waivers, contracts = _load(config, today)
    falsifiers = {(c.stem, f.id): (c, f) for c in contracts for f in c.falsifiers}

    def status(waiver: Waiver) -> str:
        return derive(*falsifiers[waiver.contract, waiver.identifier], config).name

    if as_json:
        listed = [{**w.to_json(), "state": w.state(today), "status": status(w)} for w in waivers.waivers]
        print(printable_json(json.dumps({"today": today.isoformat(), "waivers": listed}, indent=1)))
        return
    for waiver in waivers.waivers:
        print(printable(f"{waiver.address}: {status(waiver)}, {waiver.state(today)}"))
        print(f"  from {waiver.created} until {waiver.expires} (UTC; on that day no more)")
        print(printable(f"  approved by {waiver.approver}: {waiver.reason}"))
    if not waivers.waivers:
        print("nothing is waived")


def _lint(config: Config, today: dt.date) -> tuple[Sequence[Finding], int]:
    try:
        waivers, contracts = _load(config, today)
    except WaiverError as error:
        return error.findings, 0
    return lint_waivers(waivers, config, contracts), len(waivers.waivers)


def _findings_text(findings: Sequence[Finding], count: int) -> None:
    for finding in findings:
        print(printable(f"{finding.where}: {finding.severity}[{finding.code}]: {finding.message}"))
        print(printable(f"    {finding.remedy}"))
    if findings:
        print(f"\n{len(findings)} error(s)")
    elif count:
        print(f"{count} waiver(s) are in order")
    else:
        print("nothing is waived")


def _findings_json(findings: Sequence[Finding], count: int) -> None:
    print(
        printable_json(json.dumps({"findings": [f.to_json() for f in findings], "waivers": count}, indent=1))
    )
