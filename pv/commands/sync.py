"""``pv sync``: write the statuses that evidence supports into contracts, and nothing else."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
from collections.abc import Sequence
from typing import Any

from pv.common_options import add_format_argument
from pv.config import Config, load_config
from pv.contract import Contract, Falsifier
from pv.errors import ConfigError, PvError, SelectionError
from pv.exits import Exit, worst
from pv.printable import printable, printable_json
from pv.rules.rule import uses_our_fields
from pv.selection import load_all, select
from pv.sync import Synced, plan_sync, write_sync

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pv sync``."""
    parser.add_argument("what", nargs="*", metavar="ID|PATH", help="default: every contract of the project")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 if a status would be written"
    )
    parser.add_argument(
        "--bump", action="store_true", help="also raise the version where a status changes, and log it"
    )
    parser.add_argument(
        "--date", metavar="YYYY-MM-DD", help="date of the changelog entry (default: today, UTC)"
    )
    parser.add_argument(
        "--all", action="store_true", help="also correct contracts that say nothing of how they are measured"
    )
    add_format_argument(parser)


def run(arguments: argparse.Namespace) -> Exit:
    """Plan every contract, then write each one whole or not at all."""
    if arguments.date is not None and not arguments.bump:
        raise ConfigError(
            "--date is of an entry in the changelog, and only --bump makes one",
            remedy="add --bump, or leave --date out",
        )
    day = _day(arguments.date)
    config = load_config()
    chosen = _chosen(arguments.what, config)
    if not any(falsifiers for _, falsifiers in chosen):
        raise SelectionError("the contracts have no falsifiers", remedy="add falsification_tests to one")
    ours = [pair for pair in chosen if arguments.all or uses_our_fields(pair[0])]
    if not ours:
        raise SelectionError(
            f"none of {len(chosen)} contract(s) says how it is measured: nothing was compared with evidence",
            remedy="`--all` corrects what such contracts claim, too",
        )
    ends: list[Exit] = []
    done: list[Synced] = []
    for contract, falsifiers in ours:
        try:
            synced = plan_sync(contract, falsifiers, config, bump=arguments.bump, day=day)
            if synced.changed and not arguments.check:
                write_sync(synced)
        except PvError as error:
            for line in str(error).splitlines():
                print(printable(line), file=sys.stderr)
            ends.append(error.exit)
            continue
        done.append(synced)
        ends.append(Exit.REJECTED if arguments.check and synced.changed else Exit.ACCEPTED)
    left = len(chosen) - len(ours)
    (_json if arguments.format == "json" else _text)(done, len(ours), left, check=arguments.check)
    return worst(ends)


def _chosen(words: Sequence[str], config: Config) -> list[tuple[Contract, list[Falsifier]]]:
    if not words:
        return [(contract, list(contract.falsifiers)) for contract in load_all(config)]
    grouped: dict[str, tuple[Contract, list[Falsifier]]] = {}
    for item in select(words, config):
        grouped.setdefault(item.contract.stem, (item.contract, []))[1].append(item.falsifier)
    return list(grouped.values())


def _day(word: str | None) -> dt.date | None:
    if word is None:
        return None
    try:
        day = dt.date.fromisoformat(word)
    except ValueError:
        day = None
    if day is None or day.isoformat() != word:
        raise ConfigError(f"--date {word!r} is no date", remedy="write it as YYYY-MM-DD")
    return day


def _text(done: Sequence[Synced], contracts: int, left: int, *, check: bool) -> None:
    for synced in done:
        for change in synced.changes:
            said = change.before or "no status"
            line = f"{change.falsifier}: {said} to {change.after}, because: {change.reason}"
            print(printable(f"{change.where}: {line}"))
        if synced.bump:
            print(printable(f"{synced.bump.where}: version {synced.bump.before} to {synced.bump.after}"))
            if synced.bump.untold:
                line = f"a major version may be due, which cannot be told: {synced.bump.untold}"
                print(printable(f"{synced.bump.where}: note: {line}"))
    statuses = sum(len(synced.changes) for synced in done)
    files = sum(synced.changed for synced in done)
    if not files:
        print(f"{len(done)} of {contracts} contract(s) say what their evidence supports")
    else:
        verb = "would be written" if check else "written"
        print(f"{statuses} status(es) {verb} in {files} of {contracts} contract(s)")
    if left:
        print(f"{left} contract(s) left alone: they do not say how they are measured (--all corrects them)")


def _json(done: Sequence[Synced], contracts: int, left: int, *, check: bool) -> None:
    def one(synced: Synced) -> dict[str, Any]:
        bump = synced.bump
        return {
            "file": synced.shown,
            "written": synced.changed and not check,
            "statuses": [
                {
                    "falsifier": change.falsifier,
                    "line": change.where.line,
                    "column": change.where.column,
                    "from": change.before,
                    "to": change.after,
                    "direction": change.direction,
                    "reason": change.reason,
                    "evidence": list(change.evidence),
                }
                for change in synced.changes
            ],
            "version": {
                "from": bump.before,
                "to": bump.after,
                "changelog": bump.text,
                "untold": bump.untold or None,
            }
            if bump
            else None,
        }

    document = {
        "contracts": contracts,
        "left_alone": left,
        "changed": [one(synced) for synced in done if synced.changed],
    }
    print(printable_json(json.dumps(document, indent=1)))
